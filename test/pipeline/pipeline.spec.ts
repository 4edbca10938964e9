import { beforeEach, describe, expect, it } from '@jest/globals';
import { ConsumerNameError, PipelineFullError, type DeliveryContext } from 'nestjs-emissions';
import { HeldAdapter, RecordingAdapter, ScriptedAdapter, failing } from '../support/adapters.js';
import { silence } from '../support/logs.js';
import { Bench, range } from '../support/pipeline.js';
import { listen } from '../support/signals.js';
import { nextRound, rounds, until } from '../support/until.js';

beforeEach(silence);

describe('A commit', () => {
  it('reaches every consumer whole, once, in the order of emission', async () => {
    using bench = new Bench();
    const adapters = range(1, 3).map(() => bench.serve(new RecordingAdapter()));
    await bench.commit(10);
    await bench.settled();

    for (const adapter of adapters) expect(adapter.payloads).toEqual(range(1, 10));
  });

  it('reaches every consumer before those that came after it', async () => {
    using bench = new Bench({ batchSize: 3 });
    const fast = bench.serve(new RecordingAdapter());
    const slow = bench.serve(new HeldAdapter());
    for (const first of [1, 5, 9]) await bench.commit(4, undefined, first);
    await until(() => slow.running === 1);
    while (slow.running > 0) {
      slow.release();
      await rounds(2);
    }

    expect(fast.payloads).toEqual(range(1, 12));
    expect(slow.payloads).toEqual(range(1, 12));
  });

  it('is done when it is queued, long before it is delivered', async () => {
    using bench = new Bench();
    const slow = bench.serve(new HeldAdapter());
    await bench.commit(2);
    expect(slow.batches).toEqual([]);
    await bench.commit(2, undefined, 3);

    expect(bench.pipeline.offer(bench.emissions(1))).toBeUndefined();
  });

  it('succeeds when nobody consumes anything, and leaves nothing behind', async () => {
    using bench = new Bench();
    for (const first of range(1, 100)) await bench.commit(10, undefined, first);

    await expect(bench.settled()).resolves.toBeUndefined();
    expect(bench.pipeline.consumers).toEqual([]);
  });

  it('may be empty', async () => {
    using bench = new Bench();
    const adapter = bench.serve(new RecordingAdapter());
    await bench.pipeline.offer([]);
    await bench.settled();

    expect(adapter.batches).toEqual([]);
  });
});

describe('Consumers are independent', () => {
  it('a stuck one, a throwing one and a slow one leave a fourth at full speed', async () => {
    using bench = new Bench({ batchSize: 10, overflow: 'drop-newest', capacity: 100 });
    const stuck = bench.serve({ deliver: () => new Promise<void>(() => {}) }, { name: 'stuck' });
    const throwing = bench.serve({ deliver: failing(new Error('no')) }, { name: 'throwing' });
    const slow = bench.serve(new HeldAdapter(), { name: 'slow' });
    const healthy = bench.serve(new RecordingAdapter(), { name: 'healthy' });
    for (const first of range(0, 49)) {
      await bench.commit(10, undefined, first * 10 + 1);
      await rounds(2);
      expect(healthy.emissions).toHaveLength((first + 1) * 10);
    }

    expect(healthy.payloads).toEqual(range(1, 500));
    expect(slow.emissions).toHaveLength(10);
    expect([stuck, throwing]).toHaveLength(2);
    expect(['stuck', 'throwing', 'slow', 'healthy'].map((name) => bench.pending(name))).toEqual([
      100, 0, 100, 0,
    ]);
  });

  it('one that fails on a batch gets the next one', async () => {
    using bench = new Bench({ batchSize: 1 });
    const adapter = bench.serve(new ScriptedAdapter(failing(new Error('1'))));
    await bench.commit(2);
    await bench.settled();

    expect(adapter.payloads).toEqual([1, 2]);
  });

  it.each<[string, (context: DeliveryContext) => void]>([
    ['freezes its context', (context) => Object.freeze(context)],
    ['takes another attempt for the first', (context) => Reflect.set(context, 'attempt', 1)],
  ])('one that %s is called as often as it should be, and so are the others', async (_, act) => {
    using bench = new Bench({ batchSize: 1, retry: { attempts: 2, backoffMs: 0 } });
    let calls = 0;
    bench.serve(
      {
        deliver: async (_batch, context) => {
          calls++;
          act(context);
          await nextRound();
          act(context);
          throw new Error('no');
        },
      },
      { concurrency: 2 },
    );
    const other = bench.serve(new RecordingAdapter());
    await bench.commit(4);
    await bench.settled();

    expect(calls).toBe(8);
    expect(other.payloads).toEqual([1, 2, 3, 4]);
  });

  it('one sees of a call which attempt it is, whose, and its signal, and nothing besides', async () => {
    using bench = new Bench();
    const shown: object[] = [];
    bench.serve({ deliver: (_batch, context) => void shown.push(context) });
    await bench.commit();
    await bench.settled();
    const [context] = shown as [object];

    expect([Reflect.ownKeys(context), structuredClone(context)]).toEqual([[], {}]);
    expect(Reflect.ownKeys(Object.getPrototypeOf(context) as object)).toEqual([
      'constructor',
      'attempt',
      'consumer',
      'signal',
    ]);
  });

  it('one that is stuck with the policy wait holds back only the commits that it wants', async () => {
    using bench = new Bench();
    const stuck = Object.assign(new HeldAdapter(), {
      interested: ({ name }: { name: string }) => name === 'rare',
    });
    bench.serve(stuck, { capacity: 1 });
    const healthy = bench.serve(new RecordingAdapter());
    await bench.pipeline.offer([bench.emission('rare')]);
    const held = bench.pipeline.offer([bench.emission('rare')]);
    for (const first of range(1, 20)) await bench.commit(1, undefined, first);
    await rounds();

    expect(held).toBeInstanceOf(Promise);
    expect(healthy.payloads.slice(1)).toEqual(range(1, 20));
    stuck.release();
    await held;
  });
});

describe('Before the application has started', () => {
  it('what is committed is kept, and delivered in order when it has, before anything later', async () => {
    using bench = new Bench({}, { started: false });
    const adapter = bench.serve(new RecordingAdapter());
    await bench.commit(2);
    await bench.commit(2, undefined, 3);
    await rounds();
    expect(adapter.batches).toEqual([]);
    bench.pipeline.start();
    await bench.commit(1, undefined, 5);
    await bench.settled();

    expect(adapter.payloads).toEqual(range(1, 5));
  });

  it('what is committed is kept also for those who are found later', async () => {
    using bench = new Bench({}, { started: false });
    await bench.commit(2);
    const adapter = bench.serve(new RecordingAdapter());
    bench.pipeline.start();
    await bench.settled();

    expect(adapter.payloads).toEqual([1, 2]);
  });

  it('no more is kept than pipeline.capacity, and a commit that exceeds it is refused whole', async () => {
    using bench = new Bench({ capacity: 5 }, { started: false });
    const adapter = bench.serve(new RecordingAdapter());
    await bench.commit(4);
    await expect(bench.commit(2, undefined, 5)).rejects.toThrow(PipelineFullError);
    await bench.commit(1, undefined, 5);
    bench.pipeline.start();
    await bench.settled();

    expect(adapter.payloads).toEqual(range(1, 5));
  });

  it.each(['wait', 'reject'] as const)(
    'what is kept is lost nowhere, also where a queue is smaller: %s',
    async (overflow) => {
      using bench = new Bench({}, { started: false });
      using log = listen('emissions:consumer:overflowed', 'emissions:emission:dropped');
      const small = bench.serve(new RecordingAdapter(), { capacity: 3, batchSize: 2, overflow });
      await bench.commit(10);
      bench.pipeline.start();
      await bench.settled();

      expect(small.payloads).toEqual(range(1, 10));
      expect(log.all).toEqual([]);
    },
  );

  it('a small queue that sheds sheds of it as ever', async () => {
    using bench = new Bench({}, { started: false });
    const small = bench.serve(new RecordingAdapter(), { capacity: 3, overflow: 'drop-oldest' });
    await bench.commit(10);
    bench.pipeline.start();
    await bench.settled();

    expect(small.payloads).toEqual([8, 9, 10]);
  });

  it('starting twice changes nothing', async () => {
    using bench = new Bench({}, { started: false });
    const adapter = bench.serve(new RecordingAdapter());
    await bench.commit(1);
    bench.pipeline.start();
    bench.pipeline.start();
    await bench.settled();

    expect(adapter.payloads).toEqual([1]);
  });
});

describe('At run time', () => {
  it('a consumer that is added gets what is committed later', async () => {
    using bench = new Bench();
    await bench.commit(1);
    const adapter = bench.serve(new RecordingAdapter());
    await bench.commit(1, undefined, 2);
    await bench.settled();

    expect(adapter.payloads).toEqual([2]);
  });

  it('a consumer that is removed finishes its running call and gets nothing further; what is queued is counted as dropped', async () => {
    using bench = new Bench({ batchSize: 2 });
    using log = listen('emissions:emission:dropped', 'emissions:adapter:delivered');
    const adapter = bench.serve(new HeldAdapter(), { name: 'audit' });
    await bench.commit(5);
    await until(() => adapter.running === 1);
    const removed = bench.pipeline.remove('adapter', 'audit');
    await bench.commit(1, undefined, 6);
    await rounds();
    adapter.release();

    await expect(removed).resolves.toBe(true);
    expect(adapter.payloads).toEqual([1, 2]);
    expect(log.all).toEqual([
      {
        channel: 'emissions:emission:dropped',
        message: {
          reason: 'removed',
          emission: 'thing.happened',
          count: 3,
          consumer: 'audit',
        },
      },
      { channel: 'emissions:adapter:delivered', message: expect.objectContaining({ count: 2 }) },
    ]);
  });

  it('a call that runs still counts as busy after its consumer was removed', async () => {
    using bench = new Bench();
    const adapter = bench.serve(new HeldAdapter(), { name: 'audit' });
    await bench.commit(1);
    await until(() => adapter.running === 1);
    const removed = bench.pipeline.remove('adapter', 'audit');
    await expect(bench.pipeline.settled(1)).rejects.toThrow(/audit: 1/);
    const settled = bench.settled();
    adapter.release();

    await expect(Promise.all([removed, settled])).resolves.toEqual([true, undefined]);
  });

  it('an idle consumer is removed at once, an unknown one is no error', async () => {
    using bench = new Bench();
    bench.serve(new RecordingAdapter(), { name: 'audit' });

    await expect(bench.pipeline.remove('adapter', 'audit')).resolves.toBe(true);
    await expect(bench.pipeline.remove('adapter', 'audit')).resolves.toBe(false);
    await expect(bench.pipeline.remove('handler', 'audit')).resolves.toBe(false);
  });

  it('a removed name is free again, also while its last call runs; a taken one is refused', async () => {
    using bench = new Bench();
    const first = bench.serve(new HeldAdapter(), { name: 'audit' });
    expect(() => bench.serve(new RecordingAdapter(), { name: 'audit' })).toThrow(ConsumerNameError);
    await bench.commit(1);
    await until(() => first.running === 1);
    const removed = bench.pipeline.remove('adapter', 'audit');
    const second = bench.serve(new RecordingAdapter(), { name: 'audit' });
    await bench.commit(1, undefined, 2);
    first.release();
    await removed;
    await bench.settled();

    expect([first.payloads, second.payloads]).toEqual([[1], [2]]);
  });
});
