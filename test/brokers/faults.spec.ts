import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { FaultyServer } from '../support/faults/destination.js';
import { brokenBy, FaultLab } from '../support/faults/fault.lab.js';
import { HTTP } from '../support/faults/http.js';
import { KAFKA } from '../support/faults/kafka.js';
import { NATS } from '../support/faults/nats.js';
import { RABBITMQ } from '../support/faults/rabbitmq.js';
import { REDIS } from '../support/faults/redis.js';
import { TCP } from '../support/faults/tcp.js';
import { persist, until } from '../support/until.js';

jest.setTimeout(30_000);

describe.each([KAFKA, REDIS, RABBITMQ, NATS, HTTP, TCP])('An application with $name', (which) => {
  const { missing } = which;
  const there = missing === undefined ? describe : describe.skip;
  let server: Awaited<ReturnType<FaultyServer['start']>>;

  beforeAll(async () => {
    if (missing === undefined) server = await which.start();
  }, 60_000);
  afterAll(async () => server?.[Symbol.asyncDispose](), 60_000);

  there(`which breaks${missing === undefined ? '' : ` (${missing})`}`, () => {
    it('gets everything through when it is killed while emissions flow, and comes back', async () => {
      await using lab = await FaultLab.start(which, server.port);
      await lab.emit(30);
      const failed = lab.failures();
      server.kill();
      await lab.emit(30);
      await failed;
      await until(() => lab.othersHaveEverything);
      const starting = server.start();
      await lab.emit(30);
      await starting;
      await lab.emit(10);
      await expectAsPromised(lab, { isRestart: true });
    });

    it.each(['everything', 'answers'] as const)(
      'gets everything through when a connection is dead, and %s vanish',
      async (what) => {
        await using lab = await FaultLab.start(which, server.port);
        await lab.emit(10);
        await lab.settled();
        lab.wire.deaden(what);
        await lab.emit(30);
        await until(() => lab.othersHaveEverything);
        await expectAsPromised(lab);
      },
    );

    it('gets everything through when the connection is reset in the middle of a batch', async () => {
      await using lab = await FaultLab.start(which, server.port);
      await lab.emit(10);
      await lab.settled();
      lab.wire.resetAfter(2_500);
      await lab.emit(30);
      await expectAsPromised(lab);
    });

    it.each(['cut', 'swallow'] as const)(
      'closes in time while it is out of reach (%s), says what is left, and leaves nothing open',
      async (fault) => {
        const before = open();
        await using lab = await FaultLab.start(which, server.port, {
          pipeline: { drainTimeoutMs: 200 },
        });
        await lab.emit(10);
        await lab.settled();
        lab.wire[fault]();
        await lab.emit(30);
        const left = await lab.close();
        const promising = lab.destinations.filter(({ promise }) => promise.keeps !== 'nothing');
        expect(promising.map(({ name }) => left.get(name))).toEqual(promising.map(() => 30));
        expect(lab.unhandled).toEqual([]);
        await until(() => open() <= before);
      },
    );
  });
});

/** Waits until everything is delivered, and holds each destination to its promise. */
async function expectAsPromised(lab: FaultLab, { isRestart = false } = {}): Promise<void> {
  await lab.settled();
  expect(lab.unhandled).toEqual([]);
  for (const destination of lab.destinations) {
    // oxlint-disable-next-line no-await-in-loop -- one behind another
    await persist(async () => {
      const broken = brokenBy(await lab.findings(destination), destination, isRestart);
      expect({ name: destination.name, ...broken }).toEqual({ name: destination.name });
    }, 500);
  }
}

/** How many sockets and timers there are in this process. */
function open(): number {
  return process.getActiveResourcesInfo().filter((type) => /TCPSocketWrap|Timeout/.test(type))
    .length;
}
