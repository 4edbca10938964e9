import { fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { DurableDeliveries, EmissionsDurableModule } from 'nestjs-emissions/durable';
import { DATABASE_URL, postgres, type TestDatabase } from '../support/databases.js';
import { FaultLab } from '../support/faults/fault.lab.js';
import { NATS } from '../support/faults/nats.js';
import { RABBITMQ } from '../support/faults/rabbitmq.js';
import { REDIS } from '../support/faults/redis.js';
import { root } from '../support/imports.js';
import { untilAsked } from '../support/until.js';

jest.setTimeout(60_000);

const consumer = {
  ...{ durable: true, batchSize: 10 },
  retry: { attempts: 1_000, backoffMs: 20, factor: 1.5, maxBackoffMs: 200 },
};

describe.each([
  [REDIS, process.env['REDIS_URL']],
  [RABBITMQ, process.env['AMQP_URL']],
  [NATS, process.env['NATS_URL']],
] as const)('What is stored for adapters to $name', (which, url) => {
  const there = url === undefined || DATABASE_URL === undefined ? describe.skip : describe;
  const port = Number(new URL(url ?? 'x://x:1').port);
  let database: TestDatabase;

  beforeAll(async () => {
    if (DATABASE_URL !== undefined) database = await postgres();
  });
  afterAll(async () => database?.[Symbol.asyncDispose]());

  const started = (options: { consumer?: object; id?: string } = {}) =>
    FaultLab.start(which, port, {
      consumer,
      imports: [EmissionsDurableModule.forRoot(database.options)],
      ...options,
    });

  /** Waits until nothing is missing where everything is kept, and looks whether keys are in order. */
  async function expectAllOf(lab: FaultLab): Promise<void> {
    for (const destination of lab.destinations) {
      if (destination.promise.keeps !== 'everything') continue;
      // oxlint-disable-next-line no-await-in-loop -- one behind another
      await untilAsked(async () => (await lab.findings(destination)).lost.length === 0);
      // oxlint-disable-next-line no-await-in-loop
      expect(await lab.findings(destination)).toMatchObject({ lost: [], inversions: 0 });
    }
  }

  there('and PostgreSQL', () => {
    it('waits while the server is away, and is delivered when it is back', async () => {
      await using lab = await started();
      await lab.emit(20);
      await expectAllOf(lab);
      const failed = lab.failures();
      lab.wire.cut();
      await lab.emit(40);
      await failed;
      lab.wire.mend();
      await expectAllOf(lab);
      expect(lab.largestBatch).toBeGreaterThan(1);
    });

    it('is kept as dead when it never gets there, until somebody tries it again', async () => {
      const retry = { attempts: 2, backoffMs: 1 };
      await using lab = await started({ consumer: { ...consumer, retry } });
      const deliveries = lab.get(DurableDeliveries);
      const kept = lab.destinations.filter(({ promise }) => promise.keeps === 'everything');
      lab.wire.cut();
      await lab.emit(3);
      for (const { name } of kept) {
        const dead = () => deliveries.failed({ handler: name });
        // oxlint-disable-next-line no-await-in-loop -- one behind another
        await untilAsked(async () => (await dead()).length === 3);
        // oxlint-disable-next-line no-await-in-loop
        expect((await dead()).map(({ attempts }) => attempts)).toEqual([2, 2, 2]);
      }
      lab.wire.mend();
      for (const destination of kept) {
        const isBack = async (): Promise<boolean> => {
          await deliveries.retry({ handler: destination.name });
          return (await lab.findings(destination)).lost.length === 0;
        };
        // oxlint-disable-next-line no-await-in-loop
        await untilAsked(isBack);
      }
    });

    it('is delivered by another process when the one that emitted it is killed', async () => {
      const id = randomUUID();
      const worker = fork(join(root, 'test/support/faults/durable.worker.ts'), {
        execArgv: ['--import', join(root, 'test/support/typescript.hooks.mjs')],
        env: {
          ...process.env,
          ...{ SERVER: which.name, PORT: String(port), ID: id, COUNT: '100' },
          CONSUMER: JSON.stringify(consumer),
          DURABLE: JSON.stringify(database.options),
        },
      });
      await once(worker, 'message');
      worker.kill('SIGKILL');
      await once(worker, 'exit');
      await using lab = await started({ id });
      lab.expect(100);
      await expectAllOf(lab);
    });
  });
});
