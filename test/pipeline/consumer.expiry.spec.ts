import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { HeldAdapter, RecordingAdapter, ScriptedAdapter, failing } from '../support/adapters.js';
import { silence } from '../support/logs.js';
import { Bench, payloads } from '../support/pipeline.js';
import { listen } from '../support/signals.js';
import { fakeTime, pass } from '../support/time.js';

beforeEach(silence);
fakeTime();

describe('An emission that outlives its ttlMs', () => {
  it('is dropped before it is delivered, and signalled for each consumer that did not get it', async () => {
    using bench = new Bench({ batchSize: 1 });
    using log = listen('emissions:emission:expired');
    const slow = bench.serve(new HeldAdapter(), { name: 'slow' });
    const fast = bench.serve(new RecordingAdapter(), { name: 'fast' });
    await bench.commit(1);
    await bench.commit(1, { ttlMs: 100 }, 2);
    await bench.commit(1, undefined, 3);
    await pass(101);
    slow.release();
    await pass(0);

    expect(slow.payloads).toEqual([1, 3]);
    expect(fast.payloads).toEqual([1, 2, 3]);
    expect(log.all.map(({ message }) => message)).toEqual([
      { emission: 'thing.happened', count: 1, consumer: 'slow' },
    ]);
  });

  it('is given up and signalled also while its consumer is stuck, and makes room for those who wait', async () => {
    using bench = new Bench();
    using log = listen('emissions:emission:expired');
    const stuck = bench.serve(new HeldAdapter(), { name: 'stuck', batchSize: 1, capacity: 3 });
    await bench.commit(1);
    await bench.commit(1, { ttlMs: 500 }, 2);
    await bench.commit(1, { ttlMs: 100 }, 3);
    let gone = false;
    const waiting = bench.commit(1, undefined, 4).then(() => (gone = true));
    await pass(99);
    expect([gone, log.all.length, bench.pending('stuck')]).toEqual([false, 0, 3]);
    await pass(20);
    await waiting;
    expect([log.all.length, bench.pending('stuck')]).toEqual([1, 3]);
    await pass(400);

    expect(log.all.map(({ message }) => message)).toEqual([
      { emission: 'thing.happened', count: 1, consumer: 'stuck' },
      { emission: 'thing.happened', count: 1, consumer: 'stuck' },
    ]);
    expect(bench.pending('stuck')).toBe(2);
    stuck.release();
    await pass(0);
    stuck.release();
    await pass(0);
    expect(stuck.payloads).toEqual([1, 4]);
  });

  it('is given up also where it waits for its key', async () => {
    using bench = new Bench();
    using log = listen('emissions:emission:expired');
    const stuck = bench.serve(new HeldAdapter(), { name: 'stuck', batchSize: 1, concurrency: 2 });
    await bench.commit(1, { key: 'k' });
    await bench.commit(1, { key: 'k', ttlMs: 100 }, 2);
    await bench.commit(1, { key: 'k' }, 3);
    await pass(101);
    expect([log.all.length, bench.pending('stuck')]).toEqual([1, 2]);
    stuck.release();
    await pass(0);
    stuck.release();
    await pass(0);

    expect(stuck.payloads).toEqual([1, 3]);
    expect(bench.pending('stuck')).toBe(0);
  });

  it('leaves no timer behind when its consumer is closed', async () => {
    const bench = new Bench();
    bench.serve(new HeldAdapter(), { batchSize: 1 });
    await bench.commit(1);
    await bench.commit(1, { ttlMs: 60_000 }, 2);
    expect(jest.getTimerCount()).toBe(1);
    bench.pipeline.close();

    expect(jest.getTimerCount()).toBe(0);
  });

  it('is delivered as long as it is worth it', async () => {
    using bench = new Bench({ batchSize: 1 });
    const slow = bench.serve(new HeldAdapter());
    await bench.commit(1);
    await bench.commit(1, { ttlMs: 100 }, 2);
    await pass(99);
    slow.release();
    await pass(0);

    expect(slow.payloads).toEqual([1, 2]);
  });

  it('leaves its batch, and a batch that has nothing left is no call', async () => {
    using bench = new Bench({ batchSize: 2 });
    using log = listen('emissions:emission:expired', 'emissions:adapter:delivered');
    const slow = bench.serve(new HeldAdapter(), { name: 'slow' });
    await bench.commit(1);
    await pass(0);
    await bench.commit(2, { ttlMs: 10 }, 2);
    await bench.commit(1, { ttlMs: 10 }, 4);
    await bench.commit(2, undefined, 5);
    await pass(11);
    while (slow.running > 0) {
      slow.release();
      await pass(0);
    }

    expect(slow.batches.map(payloads)).toEqual([[1], [5], [6]]);
    expect(log.of('emissions:emission:expired')).toHaveLength(3);
    expect(log.of('emissions:adapter:delivered').map(({ count }) => count)).toEqual([1, 1, 1]);
    expect(bench.pending('slow')).toBe(0);
  });

  it('is not retried', async () => {
    using bench = new Bench();
    using log = listen('emissions:emission:expired', 'emissions:adapter:failed');
    const adapter = bench.serve(
      new ScriptedAdapter(failing(new Error('1')), failing(new Error('2'))),
      {
        name: 'audit',
        retry: { attempts: 3, backoffMs: 100, jitter: 0 },
      },
    );
    await bench.pipeline.offer([
      bench.emission('thing.happened', 1, { ttlMs: 50 }),
      bench.emission('thing.happened', 2),
      bench.emission('thing.happened', 3, { ttlMs: 150 }),
    ]);
    await pass(100);
    await pass(200);

    expect(adapter.batches.map(payloads)).toEqual([[1, 2, 3], [2, 3], [2]]);
    expect(log.all.map(({ channel, message }) => [channel, message.count])).toEqual([
      ['emissions:emission:expired', 1],
      ['emissions:emission:expired', 1],
    ]);
    expect(bench.pending('audit')).toBe(0);
  });

  it('makes room for a commit that waits', async () => {
    using bench = new Bench();
    let finish: () => void = () => {};
    const held = () => new Promise<void>((resolve) => (finish = resolve));
    const adapter = bench.serve(new ScriptedAdapter(failing(new Error('1')), held), {
      capacity: 2,
      retry: { attempts: 2, backoffMs: 100, jitter: 0 },
    });
    await bench.pipeline.offer([
      bench.emission('thing.happened', 1, { ttlMs: 50 }),
      bench.emission('thing.happened', 2),
    ]);
    const waiting = bench.commit(1, undefined, 3);
    await pass(100);
    await waiting;
    expect(adapter.batches.map(payloads)).toEqual([[1, 2], [2]]);
    finish();
    await pass(0);

    expect(adapter.batches.map(payloads)).toEqual([[1, 2], [2], [3]]);
  });

  it('does not count as expired at the moment itself', async () => {
    using bench = new Bench();
    const adapter = bench.serve(new RecordingAdapter());
    await bench.commit(1, { ttlMs: 0 });
    await pass(0);

    expect(adapter.payloads).toEqual([1]);
  });
});
