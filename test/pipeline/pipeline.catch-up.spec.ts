import { beforeEach, describe, expect, it } from '@jest/globals';
import { HeldAdapter } from '../support/adapters.js';
import { silence } from '../support/logs.js';
import { Bench } from '../support/pipeline.js';
import { until } from '../support/until.js';

beforeEach(silence);

describe('a pipeline whose application begins to close', () => {
  it('waits for what is pending then, not for what servers still send, and takes that too', async () => {
    using bench = new Bench({ batchSize: 1 });
    const adapter = bench.serve(new HeldAdapter());
    await bench.commit(1);
    await until(() => adapter.running === 1);
    const caughtUp = bench.pipeline.catchUp();
    await bench.commit(1, undefined, 2);
    adapter.release();
    await caughtUp;
    expect(bench.pipeline.state).toBe('draining');
    await until(() => adapter.running === 1);
    const drained = bench.pipeline.drain();
    adapter.release();
    await drained;
    expect(adapter.emissions.map(({ payload }) => payload)).toEqual([1, 2]);
    expect(bench.pipeline.close()).toEqual({ drained: true, left: [] });
  });

  it('has one time to drain for all of closing', async () => {
    using bench = new Bench({ drainTimeoutMs: 40 });
    const adapter = bench.serve(new HeldAdapter());
    await bench.commit(1);
    await until(() => adapter.running === 1);
    const started = performance.now();
    await bench.pipeline.catchUp();
    expect(bench.pipeline.state).toBe('draining');
    await bench.pipeline.drain();
    expect(bench.pipeline.state).toBe('closed');
    expect(performance.now() - started).toBeLessThan(1_000);
  });

  it('counts right though an adapter tries to empty its batch', async () => {
    using bench = new Bench({ capacity: 5 });
    bench.serve(
      {
        deliver: (batch) => {
          while (batch.length > 0) (batch as unknown[]).shift();
        },
      },
      { name: 'greedy' },
    );
    await bench.commit(5);
    await bench.settled();
    expect(bench.pending('greedy')).toBe(0);
  });
});
