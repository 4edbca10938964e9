import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Emissions, EmissionsModule, OnEmission, type Emission } from 'nestjs-emissions';
import {
  DurableDeliveries,
  EmissionsDurableModule,
  type DurableOptions,
} from 'nestjs-emissions/durable';
import { start, type RunningApp } from '../support/app.js';
import { DATABASES, type TestDatabase } from '../support/databases.js';
import { listen } from '../support/signals.js';
import { nextRound, until } from '../support/until.js';

interface Step {
  readonly key: string;
  readonly n: number;
}

@Injectable()
class Handlers {
  /** What began and ended, in order: `key:n`, and `-` in front of an end. */
  readonly log: string[] = [];
  readonly running = new Set<string>();
  overlaps = 0;
  fails: (payload: Step, attempt: number) => boolean = () => false;

  async #work(payload: Step, attempt: number): Promise<void> {
    const { key, n } = payload;
    if (this.running.has(key)) this.overlaps++;
    this.running.add(key);
    this.log.push(`${key}:${n}`);
    await nextRound();
    this.running.delete(key);
    if (this.fails(payload, attempt)) throw new Error(`not ${key}:${n}`);
    this.log.push(`-${key}:${n}`);
  }

  @OnEmission('step', {
    durable: true,
    id: 'strict',
    maxAttempts: 3,
    retry: { backoffMs: 5, factor: 1 },
  })
  strict(payload: Step, _: Emission, { attempt }: { attempt: number }): Promise<void> {
    return this.#work(payload, attempt);
  }

  @OnEmission('skipped', { durable: true, id: 'skips', maxAttempts: 1, onDead: 'skip' })
  skips(payload: Step, _: Emission, { attempt }: { attempt: number }): Promise<void> {
    return this.#work(payload, attempt);
  }
}

function application(options: Partial<DurableOptions>): Promise<RunningApp> {
  return start({
    imports: [EmissionsModule.forRoot(), EmissionsDurableModule.forRoot(options)],
    providers: [Handlers],
  });
}

const endsOf = (log: readonly string[], key: string): number[] =>
  log.filter((each) => each.startsWith(`-${key}:`)).map((each) => Number(each.split(':')[1]));
const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

describe.each(DATABASES)('Deliveries of one key on %s', (name, makeDatabase) => {
  let database: TestDatabase;
  let running: RunningApp;
  let handlers: Handlers;
  let emissions: Emissions;
  let deliveries: DurableDeliveries;

  beforeAll(async () => {
    database = await makeDatabase();
    running = await application(database.options);
    handlers = running.app.get(Handlers);
    deliveries = running.app.get(DurableDeliveries);
    ({ emissions } = running);
  }, 60_000);

  afterAll(async () => {
    await running.close();
    await database[Symbol.asyncDispose]();
  });

  const emit = (event: string, key: string, n: number) =>
    emissions.run(() => void emissions.emit(event, { key, n }, {}, { key }));

  it('run one behind another, in the order they were committed, beside other keys', async () => {
    const keys = upTo(20).map((key) => `a${key}`);
    for (const n of upTo(20)) {
      // oxlint-disable-next-line no-await-in-loop -- the order is what this is about
      await emissions.run(() => {
        for (const key of keys) emissions.emit('step', { key, n }, {}, { key });
      });
    }
    await until(() => keys.every((key) => endsOf(handlers.log, key).length === 20));
    expect(keys.map((key) => endsOf(handlers.log, key))).toEqual(keys.map(() => upTo(20)));
    expect(handlers.overlaps).toBe(0);
  }, 30_000);

  it('wait while the one before them is tried again, and others do not', async () => {
    handlers.fails = ({ key, n }, attempt) => key === 'b' && n === 0 && attempt < 3;
    await emissions.run(() => {
      for (const n of upTo(3)) emissions.emit('step', { key: 'b', n }, {}, { key: 'b' });
      emissions.emit('step', { key: 'c', n: 0 }, {}, { key: 'c' });
    });
    await until(() => endsOf(handlers.log, 'b').length === 3);
    const begun = handlers.log.filter((each) => each.startsWith('b:'));
    expect(begun).toEqual(['b:0', 'b:0', 'b:0', 'b:1', 'b:2']);
    expect(handlers.log.indexOf('-c:0')).toBeLessThan(handlers.log.indexOf('-b:0'));
  });

  it('wait behind a dead one until it is retried', async () => {
    using log = listen('emissions:delivery:dead');
    handlers.fails = ({ key, n }) => key === 'd' && n === 0;
    for (const n of upTo(3)) {
      // oxlint-disable-next-line no-await-in-loop
      await emit('step', 'd', n);
    }
    await until(() => log.all.length === 1);
    await emit('step', 'e', 0);
    await until(() => endsOf(handlers.log, 'e').length === 1);
    expect(endsOf(handlers.log, 'd')).toEqual([]);
    expect(await deliveries.blockedKeys('strict')).toEqual(['d']);
    const [dead] = await deliveries.failed({ handler: 'strict' });
    expect(dead).toMatchObject({
      handler: 'strict',
      key: 'd',
      state: 'dead',
      attempts: 3,
      maxAttempts: 3,
    });
    expect(dead!.errors.map(({ message }) => message)).toEqual(['not d:0', 'not d:0', 'not d:0']);

    handlers.fails = () => false;
    expect(await deliveries.retry(dead!.id)).toBe(1);
    await until(() => endsOf(handlers.log, 'd').length === 3);
    expect(endsOf(handlers.log, 'd')).toEqual([0, 1, 2]);
    expect(await deliveries.blockedKeys('strict')).toEqual([]);
  });

  it('go on without a dead one when it is discarded', async () => {
    using log = listen('emissions:delivery:dead');
    handlers.fails = ({ key, n }) => key === 'f' && n === 0;
    for (const n of upTo(3)) {
      // oxlint-disable-next-line no-await-in-loop
      await emit('step', 'f', n);
    }
    await until(() => log.all.length === 1);
    expect(await deliveries.discard({ handler: 'strict' })).toBe(1);
    await until(() => endsOf(handlers.log, 'f').length === 2);
    expect(endsOf(handlers.log, 'f')).toEqual([1, 2]);
    expect(await deliveries.failed({ handler: 'strict' })).toEqual([]);
    const { id } = log.all[0]!.message;
    expect(await deliveries.status(id)).toMatchObject([{ handler: 'strict', state: 'discarded' }]);
  });

  it('pass a dead one by where the handler says so, which can still be retried', async () => {
    handlers.fails = ({ key, n }) => key === 'g' && n === 0;
    for (const n of upTo(3)) {
      // oxlint-disable-next-line no-await-in-loop
      await emit('skipped', 'g', n);
    }
    await until(() => endsOf(handlers.log, 'g').length === 2);
    expect(await deliveries.blockedKeys('skips')).toEqual([]);
    handlers.fails = () => false;
    expect(await deliveries.retry({ handler: 'skips' })).toBe(1);
    await until(() => endsOf(handlers.log, 'g').length === 3);
    expect(endsOf(handlers.log, 'g')).toEqual([1, 2, 0]);
  });

  it('pass one that was dead before their handler was told to pass it by', async () => {
    const waits = ['failed', 'created'].map((state, n) =>
      database.query(
        `INSERT INTO ${database.schema}.job (id, name, data, singleton_key, policy, retry_limit, deletion_seconds, heartbeat_seconds, state, created_on)
         VALUES (gen_random_uuid(), 'skips/keyed', $1, 'old', 'key_strict_fifo', 0, 0, 10, '${state}', now() + ${n} * interval '1 ms')`,
        [{ emission: { name: 'skipped', payload: { key: 'old', n }, key: 'old', metadata: {} } }],
      ),
    );
    await Promise.all(waits);
    expect(await deliveries.blockedKeys('skips')).toEqual(['old']);
    await using again = await application(
      name === 'PostgreSQL' ? database.options : { ...database.options, worker: false },
    );
    await until(() =>
      [handlers, again.app.get(Handlers)].some(({ log }) => endsOf(log, 'old').length === 1),
    );
    expect(await deliveries.blockedKeys('skips')).toEqual([]);
    expect(await deliveries.discard({ handler: 'skips' })).toBe(1);
  });

  it('are counted, and wait while their handler is paused', async () => {
    await deliveries.pause('strict');
    await emit('step', 'h', 0);
    await emissions.run(
      () => void emissions.emit('step', { key: 'h', n: 9 }, {}, { delayMs: 60_000 }),
    );
    expect((await deliveries.stats()).find(({ handler }) => handler === 'strict')).toMatchObject({
      ...{ isKnown: true, isWorking: false, waiting: 2, delayed: 1, running: 0, dead: 0 },
    });
    deliveries.resume('strict');
    await until(() => endsOf(handlers.log, 'h').length === 1);
    expect(endsOf(handlers.log, 'h')).toEqual([0]);
  });

  it('name the handlers there are when one is asked about that is none', async () => {
    await expect(deliveries.pause('none')).rejects.toThrow(
      "There is no durable handler 'none'. There are: strict, skips.",
    );
  });

  if (name === 'PostgreSQL') {
    it('run one behind another in two applications that work together', async () => {
      handlers.fails = ({ n }, attempt) => n % 7 === 0 && attempt === 1;
      await using other = await application(database.options);
      const theirs = other.app.get(Handlers);
      const keys = upTo(10).map((key) => `z${key}`);
      for (const n of upTo(30)) {
        // oxlint-disable-next-line no-await-in-loop
        await emissions.run(() => {
          for (const key of keys) emissions.emit('step', { key, n }, {}, { key });
        });
      }
      const ended = (key: string) =>
        endsOf(handlers.log, key).length + endsOf(theirs.log, key).length;
      await until(() => keys.every((key) => ended(key) === 30));
      for (const key of keys) {
        expect(endsOf(handlers.log, key)).toEqual(
          endsOf(handlers.log, key).toSorted((a, b) => a - b),
        );
        expect(endsOf(theirs.log, key)).toEqual(endsOf(theirs.log, key).toSorted((a, b) => a - b));
      }
      expect([handlers.overlaps, theirs.overlaps]).toEqual([0, 0]);
      expect(keys.some((key) => endsOf(theirs.log, key).length > 0)).toBe(true);
    });
  }
});
