import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { DeliveryTimeoutError } from 'nestjs-emissions';
import { HeldAdapter, RecordingAdapter, ScriptedAdapter } from '../support/adapters.js';
import { silence } from '../support/logs.js';
import { Bench } from '../support/pipeline.js';
import { listen } from '../support/signals.js';
import { fakeTime, pass } from '../support/time.js';

beforeEach(silence);
fakeTime();

describe('A call that exceeds timeoutMs', () => {
  it('counts as failed, with a DeliveryTimeoutError, and the next batch goes', async () => {
    using bench = new Bench({ batchSize: 1 });
    using log = listen('emissions:adapter:failed');
    const adapter = bench.serve(new HeldAdapter(), { name: 'slow', timeoutMs: 50 });
    await bench.commit(2);
    await pass(49);
    expect(log.all).toEqual([]);
    expect(adapter.batches).toHaveLength(1);
    await pass(1);

    expect(log.all).toEqual([
      {
        channel: 'emissions:adapter:failed',
        message: {
          adapter: 'slow',
          phase: 'deliver',
          emission: 'thing.happened',
          count: 1,
          attempt: 1,
          durationMs: 50,
          error: expect.any(DeliveryTimeoutError),
        },
      },
    ]);
    expect(adapter.batches).toHaveLength(2);
  });

  it('has its signal aborted, with that error as the reason, whenever it asked for the signal', async () => {
    using bench = new Bench({ batchSize: 1 });
    const reasons: unknown[] = [];
    const early = bench.serve(
      new ScriptedAdapter((_, { signal }) => {
        signal.addEventListener('abort', () => reasons.push(signal.reason));
        return new Promise(() => {});
      }),
      { name: 'early', timeoutMs: 50 },
    );
    const late = bench.serve(new HeldAdapter(), { name: 'late', timeoutMs: 50 });
    await bench.commit();
    await pass(0);
    expect(early.contexts[0]!.signal.aborted).toBe(false);
    await pass(50);

    expect(reasons).toEqual([expect.any(DeliveryTimeoutError)]);
    expect(late.contexts[0]!.signal.aborted).toBe(true);
    expect((late.contexts[0]!.signal.reason as Error).message).toMatch(/late.*50 ms.*timeoutMs/);
  });

  it('is ignored when it settles after all, however it does', async () => {
    using bench = new Bench({ batchSize: 1 });
    using log = listen('emissions:adapter:failed', 'emissions:adapter:delivered');
    const adapter = bench.serve(new HeldAdapter(), { timeoutMs: 50 });
    await bench.commit(3);
    await pass(50);
    await pass(50);
    adapter.release();
    adapter.fail(new Error('much too late'));
    await pass(0);
    expect(log.of('emissions:adapter:failed')).toHaveLength(2);
    expect(log.of('emissions:adapter:delivered')).toEqual([]);
    expect(adapter.running).toBe(1);
    adapter.release();
    await pass(0);

    expect(log.of('emissions:adapter:delivered')).toHaveLength(1);
  });

  it('is retried as any failure is', async () => {
    using bench = new Bench();
    using log = listen('emissions:adapter:retried', 'emissions:adapter:delivered');
    const adapter = bench.serve(new HeldAdapter(), {
      timeoutMs: 50,
      retry: { attempts: 2, backoffMs: 10, jitter: 0 },
    });
    await bench.commit();
    await pass(50);
    await pass(10);
    expect(adapter.contexts.map(({ attempt }) => attempt)).toEqual([1, 2]);
    expect(adapter.contexts[1]!.signal.aborted).toBe(false);
    adapter.release(); // The first call, late.
    adapter.release();
    await pass(0);

    expect(log.all.map(({ channel }) => channel)).toEqual([
      'emissions:adapter:retried',
      'emissions:adapter:delivered',
    ]);
  });

  it('does not stop the others', async () => {
    using bench = new Bench({ timeoutMs: 50 });
    bench.serve(new HeldAdapter());
    const other = bench.serve(new RecordingAdapter());
    await bench.commit(2);
    await pass(0);

    expect(other.payloads).toEqual([1, 2]);
  });
});

describe('A call that settles in time', () => {
  it('leaves no timer behind and its signal is not aborted', async () => {
    using bench = new Bench();
    const adapter = bench.serve(new HeldAdapter(), { timeoutMs: 50 });
    const immediate = bench.serve(new RecordingAdapter(), { timeoutMs: 50 });
    await bench.commit();
    await pass(0);
    expect(jest.getTimerCount()).toBe(1);
    adapter.release();
    await pass(0);
    expect(jest.getTimerCount()).toBe(0);
    await pass(100);

    expect(adapter.contexts[0]!.signal.aborted).toBe(false);
    expect(immediate.contexts[0]!.signal.aborted).toBe(false);
  });

  it('gives the same signal whenever it is asked', async () => {
    using bench = new Bench();
    const adapter = bench.serve(new RecordingAdapter());
    await bench.commit();
    await pass(0);

    expect(adapter.contexts[0]!.signal).toBe(adapter.contexts[0]!.signal);
  });
});
