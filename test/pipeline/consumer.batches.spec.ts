import { afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { HeldAdapter, RecordingAdapter, ScriptedAdapter } from '../support/adapters.js';
import { silence } from '../support/logs.js';
import { Bench, range } from '../support/pipeline.js';
import { listen } from '../support/signals.js';
import { keepBusy, nextRound, rounds, until } from '../support/until.js';

beforeAll(silence);
afterEach(() => {
  jest.useRealTimers();
});

describe('Batches', () => {
  it('hold at most 50 emissions by default, and exactly 50 while there is a backlog', async () => {
    using bench = new Bench();
    const adapter = bench.serve(new RecordingAdapter());
    await bench.commit(130);
    await bench.settled();

    expect(adapter.sizes).toEqual([50, 50, 30]);
    expect(adapter.payloads).toEqual(range(1, 130));
  });

  it('are full while a slow adapter has a backlog, however the emissions came in', async () => {
    using bench = new Bench({ batchSize: 4 });
    const adapter = bench.serve(new HeldAdapter());
    await bench.commit(1);
    await until(() => adapter.running === 1);
    for (const first of [2, 5, 6, 8]) {
      await bench.commit(first === 5 ? 1 : 3, undefined, first);
    }
    while (adapter.running > 0) {
      adapter.release();
      await rounds();
    }

    expect(adapter.sizes).toEqual([1, 4, 4, 2]);
  });

  it('are delivered at once when the adapter is idle', async () => {
    using bench = new Bench();
    const adapter = bench.serve(new RecordingAdapter());
    await bench.commit(3);
    expect(adapter.batches).toEqual([]);
    await nextRound();

    expect(adapter.sizes).toEqual([3]);
  });

  it('are made of all that was committed within a round of the event loop', async () => {
    using bench = new Bench();
    const adapter = bench.serve(new RecordingAdapter());
    await Promise.all([
      bench.commit(2),
      bench.commit(1, undefined, 3),
      bench.commit(2, undefined, 4),
    ]);
    await bench.settled();

    expect(adapter.sizes).toEqual([5]);
    expect(adapter.payloads).toEqual(range(1, 5));
  });

  it('do not hold up the event loop: other work gets its turn within a long backlog', async () => {
    using bench = new Bench({ batchSize: 1 });
    const adapter = bench.serve(new RecordingAdapter());
    await bench.commit(1_000);
    await nextRound();
    const afterOneRound = adapter.batches.length;
    await bench.settled();

    expect(afterOneRound).toBeGreaterThan(0);
    expect(afterOneRound).toBeLessThan(200);
    expect(adapter.batches).toHaveLength(1_000);
  });

  it('do not hold up the event loop with slow calls either', async () => {
    using bench = new Bench({ batchSize: 1 });
    let delivered = 0;
    bench.serve({
      deliver: () => {
        delivered++;
        keepBusy(2);
      },
    });
    await bench.commit(40);
    await nextRound();
    const afterOneRound = delivered;
    await bench.settled();

    expect(afterOneRound).toBeGreaterThan(0);
    expect(afterOneRound).toBeLessThan(20);
    expect(delivered).toBe(40);
  });

  it('are signalled with the adapter, how many were delivered, how long it took, and which attempt it was', async () => {
    using bench = new Bench({ batchSize: 2 });
    using log = listen('emissions:adapter:delivered');
    bench.serve(new RecordingAdapter(), { name: 'audit' });
    await bench.commit(3);
    await bench.settled();

    expect(log.all.map(({ message }) => message)).toEqual(
      [2, 1].map((count) => ({
        adapter: 'audit',
        emission: 'thing.happened',
        count,
        durationMs: expect.any(Number) as unknown,
        attempt: 1,
      })),
    );
    expect(log.all[0]!.message.durationMs).toBeGreaterThanOrEqual(0);
  });
});

describe('A batch that may wait to fill up (maxWaitMs)', () => {
  it('goes when it is full, without waiting', async () => {
    using bench = new Bench();
    const adapter = bench.serve(new RecordingAdapter(), { batchSize: 3, maxWaitMs: 60_000 });
    await bench.commit(2);
    await rounds();
    expect(adapter.sizes).toEqual([]);
    await bench.commit(1, undefined, 3);
    await rounds();

    expect(adapter.sizes).toEqual([3]);
  });

  it('goes when its first emission has waited that long, and not before', async () => {
    jest.useFakeTimers();
    using bench = new Bench();
    const adapter = bench.serve(new RecordingAdapter(), { batchSize: 3, maxWaitMs: 100 });
    await bench.commit(1);
    await jest.advanceTimersByTimeAsync(60);
    await bench.commit(1, undefined, 2);
    await jest.advanceTimersByTimeAsync(39);
    await rounds();
    expect(adapter.sizes).toEqual([]);
    await jest.advanceTimersByTimeAsync(1);
    await rounds();

    expect(adapter.payloads).toEqual([1, 2]);
  });

  it('has waited already for as long as the call before it took', async () => {
    jest.useFakeTimers();
    using bench = new Bench();
    const adapter = bench.serve(new HeldAdapter(), { batchSize: 2, maxWaitMs: 100 });
    await bench.commit(2);
    await until(() => adapter.running === 1);
    await bench.commit(1, undefined, 3);
    await jest.advanceTimersByTimeAsync(150);
    expect(adapter.sizes).toEqual([2]);
    adapter.release();
    await rounds();

    expect(adapter.sizes).toEqual([2, 1]);
  });

  it('does not wait once somebody waits for everything to settle', async () => {
    using bench = new Bench();
    const adapter = bench.serve(new RecordingAdapter(), { batchSize: 3, maxWaitMs: 60_000 });
    await bench.commit(2);
    const settled = bench.settled();
    await bench.commit(2, undefined, 3);
    await settled;

    expect(adapter.payloads).toEqual([1, 2, 3, 4]);
  });

  it('leaves no timer behind when it has gone, nor when its consumer is removed', async () => {
    jest.useFakeTimers();
    using bench = new Bench();
    bench.serve(new RecordingAdapter(), { name: 'audit', batchSize: 2, maxWaitMs: 100 });
    await bench.commit(1);
    expect(jest.getTimerCount()).toBe(1);
    await bench.commit(1, undefined, 2);
    await rounds();
    expect(jest.getTimerCount()).toBe(0);
    await bench.commit(1, undefined, 3);
    await bench.pipeline.remove('adapter', 'audit');

    expect(jest.getTimerCount()).toBe(0);
  });
});

describe('Calls of deliver', () => {
  it('never overlap by default, so that what one leaves in the fields the next one sees', async () => {
    using bench = new Bench({ batchSize: 2 });
    const adapter = bench.serve(
      new (class extends RecordingAdapter {
        inside = 0;
        total = 0;
        most = 0;
        override async deliver(batch: Parameters<RecordingAdapter['deliver']>[0]) {
          this.most = Math.max(this.most, ++this.inside);
          const before = this.total;
          await nextRound();
          this.total = before + batch.length;
          this.inside--;
        }
      })(),
    );
    for (let i = 0; i < 10; i++) void bench.commit(3);
    await bench.settled();

    expect(adapter.most).toBe(1);
    expect(adapter.total).toBe(30);
  });

  it('run side by side up to concurrency, and no further', async () => {
    using bench = new Bench({ batchSize: 1 });
    const adapter = bench.serve(new HeldAdapter(), { concurrency: 3 });
    await bench.commit(5);
    await rounds();
    expect(adapter.running).toBe(3);
    adapter.release();
    await rounds();
    expect(adapter.running).toBe(3);
    expect(adapter.payloads).toEqual([1, 2, 3, 4]);
    for (let i = 0; i < 4; i++) {
      adapter.release();
      await rounds();
    }

    expect(adapter.payloads).toEqual(range(1, 5));
    expect(adapter.running).toBe(0);
  });

  it('are told under which name the adapter is served', async () => {
    using bench = new Bench();
    const adapter = bench.serve(new RecordingAdapter(), { name: 'audit' });
    await bench.commit();
    await bench.settled();

    expect(adapter.contexts[0]).toMatchObject({ consumer: 'audit', attempt: 1 });
  });

  it('that return at once count as delivered, whatever they return', async () => {
    using bench = new Bench();
    using log = listen('emissions:adapter:delivered', 'emissions:adapter:failed');
    for (const result of [undefined, null, 0, 'done', false]) {
      bench.serve({ deliver: () => result as never });
    }
    await bench.commit();
    await bench.settled();

    expect(log.of('emissions:adapter:delivered')).toHaveLength(5);
    expect(log.of('emissions:adapter:failed')).toEqual([]);
  });

  it('may return anything that has a then', async () => {
    using bench = new Bench();
    using log = listen('emissions:adapter:delivered', 'emissions:adapter:failed');
    const thenables = [
      thenable((resolve) => resolve()),
      thenable((_, reject) => reject(new Error('a'))),
      thenable(() => {
        throw new Error('b');
      }),
    ];
    for (const result of thenables) bench.serve({ deliver: () => result });
    await bench.commit();
    await bench.settled();

    expect(log.of('emissions:adapter:delivered')).toHaveLength(1);
    expect(log.of('emissions:adapter:failed').map(({ error }) => (error as Error).message)).toEqual(
      ['a', 'b'],
    );
  });

  it('may return what throws when it is asked whether it has a then: that fails, and nobody else notices', async () => {
    using bench = new Bench();
    using log = listen('emissions:adapter:failed');
    const broken = {
      // oxlint-disable-next-line unicorn/no-thenable -- that is the point
      get then(): never {
        throw new Error('broken');
      },
    };
    bench.serve({ deliver: () => broken as never }, { name: 'broken' });
    const healthy = bench.serve(new RecordingAdapter());
    await bench.commit(2);
    await bench.settled();
    await bench.commit(1, undefined, 3);
    await bench.settled();

    expect(healthy.payloads).toEqual([1, 2, 3]);
    expect(log.all.map(({ message }) => [message.adapter, message.count])).toEqual([
      ['broken', 2],
      ['broken', 1],
    ]);
  });

  it('may fail while the logger fails too: the consumer goes on', async () => {
    using bench = new Bench();
    const logger = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => {
      throw new Error('disk full');
    });
    const adapter = bench.serve(new ScriptedAdapter(() => Promise.reject(new Error('no'))));
    await bench.commit();
    await bench.settled();
    logger.mockRestore();
    await bench.commit(1, undefined, 2);
    await bench.settled();

    expect(adapter.payloads).toEqual([1, 2]);
  });
});

type Then = (resolve: () => void, reject: (error: Error) => void) => void;

/** What some libraries return in place of a promise. */
function thenable(then: Then): Promise<void> {
  // oxlint-disable-next-line unicorn/no-thenable -- that is the point
  return { then } as never;
}
