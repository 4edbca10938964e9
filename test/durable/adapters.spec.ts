import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  EmissionsModule,
  PartialDeliveryError,
  type DeliveryContext,
  type Emission,
  type EmissionAdapter,
} from 'nestjs-emissions';
import { DurableDeliveries, EmissionsDurableModule } from 'nestjs-emissions/durable';
import { start, type RunningApp } from '../support/app.js';
import { DATABASES, type TestDatabase } from '../support/databases.js';
import { until, untilAsked } from '../support/until.js';

class Outside implements EmissionAdapter {
  readonly calls: { readonly payloads: unknown[]; readonly attempt: number }[] = [];
  fails: (batch: readonly Emission[], context: DeliveryContext) => void = () => {};
  /** What is returned instead of nothing. */
  result: unknown;

  deliver(batch: readonly Emission[], context: DeliveryContext): Promise<void> {
    this.calls.push({ payloads: batch.map(({ payload }) => payload), attempt: context.attempt });
    this.fails(batch, context);
    return this.result as Promise<void>;
  }

  interested({ name }: Emission): boolean {
    return name === 'out';
  }
}

type Then = (resolve: (value: unknown) => void, reject: (reason: unknown) => void) => void;
// oxlint-disable-next-line unicorn/no-thenable -- as other libraries return in place of a promise
const thenable = (then: Then) => ({ then });
const rejecting = thenable((_, reject) => reject('no'));

const consumer = { durable: true, batchSize: 4, retry: { attempts: 2, backoffMs: 1 } };

describe.each(DATABASES)('A durable adapter on %s', (_, makeDatabase) => {
  let database: TestDatabase;
  let running: RunningApp;
  const outside = new Outside();

  beforeAll(async () => {
    database = await makeDatabase();
    running = await start({
      imports: [
        EmissionsModule.forRoot({ adapters: [{ name: 'outside', useValue: outside, consumer }] }),
        EmissionsDurableModule.forRoot(database.options),
      ],
    });
  }, 60_000);

  afterAll(async () => {
    await running.close();
    await database[Symbol.asyncDispose]();
  });

  const emit = (...payloads: unknown[]) =>
    running.emissions.run(() => {
      running.emissions.emit('other', 0);
      for (const payload of payloads) running.emissions.emit('out', payload);
    });
  const taken = () => outside.calls.flatMap(({ payloads }) => payloads);

  it('gets what is stored for it in batches, in the order it was emitted', async () => {
    await emit(1, 2, 3, 4, 5);
    await until(() => taken().length === 5);
    expect(taken()).toEqual([1, 2, 3, 4, 5]);
    expect(outside.calls.map(({ payloads }) => payloads.length)).toEqual([4, 1]);
    outside.calls.length = 0;
  });

  it('gets again what it says it has not taken, and no more', async () => {
    outside.fails = (batch, { attempt }) => {
      if (attempt === 1)
        throw new PartialDeliveryError(batch.filter(({ payload }) => payload === 7));
    };
    await emit(6, 7, 8);
    await until(() => outside.calls.some(({ attempt }) => attempt === 2));
    expect(outside.calls).toEqual([
      { payloads: [6, 7, 8], attempt: 1 },
      { payloads: [7], attempt: 2 },
    ]);
    outside.calls.length = 0;
  });

  it('sees nothing of the inside of a call, and can freeze, copy and write to what it sees', async () => {
    const shown: unknown[] = [];
    outside.fails = (_batch, context) => {
      shown.push(Reflect.ownKeys(Object.freeze(context)), structuredClone(context));
      shown.push(Reflect.set(context, 'attempt', 1), context.consumer, context.signal.aborted);
      throw new Error('once more');
    };
    await emit(10);
    await until(() => outside.calls.length === 2);
    expect(shown.slice(0, 5)).toEqual([[], {}, false, 'outside', false]);
    expect(outside.calls.map(({ attempt }) => attempt)).toEqual([1, 2]);
    outside.calls.length = 0;
    outside.fails = () => {};
    const deliveries = running.app.get(DurableDeliveries);
    // The last attempt is written down a moment after it was made.
    await untilAsked(async () => (await deliveries.retry({ handler: 'outside' })) === 1);
    await until(() => taken().includes(10));
    outside.calls.length = 0;
  });

  it.each([
    ['a thenable that rejects', thenable((_, reject) => reject(new Error('not now')))],
    [
      'one that can be called',
      Object.assign(
        () => {},
        thenable((_, reject) => reject('not now')),
      ),
    ],
    ['one that gives another one, which rejects', thenable((resolve) => resolve(rejecting))],
  ])('is waited for as with await: gets again what failed with %s', async (_kind, result) => {
    outside.result = result;
    outside.fails = (_batch, { attempt }) => {
      if (attempt === 2) outside.result = undefined;
    };
    await emit(11);
    await until(() => outside.calls.length === 2);
    const calls = outside.calls.splice(0);
    outside.fails = () => {};
    expect(calls).toEqual([
      { payloads: [11], attempt: 1 },
      { payloads: [11], attempt: 2 },
    ]);
  });

  it('has what it never took kept as dead, to be tried again when somebody says so', async () => {
    outside.fails = () => {
      throw new Error('gone');
    };
    const deliveries = running.app.get(DurableDeliveries);
    await emit(9);
    await until(() => outside.calls.length === 2);
    let dead = await deliveries.failed();
    // The last attempt is written down a moment after it was made.
    while (dead.length === 0) {
      // oxlint-disable-next-line no-await-in-loop -- the database is asked until it says so
      dead = await deliveries.failed();
    }
    expect(dead).toMatchObject([{ handler: 'outside', emission: 'out', attempts: 2 }]);
    outside.calls.length = 0;
    outside.fails = () => {};
    expect(await deliveries.retry({ handler: 'outside' })).toBe(1);
    await until(() => taken().includes(9));
    expect(outside.calls).toEqual([{ payloads: [9], attempt: 3 }]);
  });

  it('cannot have a queue in memory, nor be added at run time', async () => {
    const { emissions } = running;
    expect(() => emissions.addAdapter('late', outside, { durable: true })).toThrow(
      'The adapter late is added at run time, and cannot be durable',
    );
    expect(() => emissions.addAdapter('late', outside, { durable: true, capacity: 3 })).toThrow(
      'The adapter late: consumer is durable, and has no queue in memory: it cannot have the option "capacity"',
    );
  });

  it('needs an engine', async () => {
    const alone = start({
      imports: [
        EmissionsModule.forRoot({ adapters: [{ name: 'outside', useValue: outside, consumer }] }),
      ],
    });
    await expect(alone).rejects.toThrow(/outside is durable, and nothing is there that stores/);
  });
});
