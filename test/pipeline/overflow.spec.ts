import { beforeEach, describe, expect, it } from '@jest/globals';
import { onSignal, PipelineFullError, type OverflowPolicy } from 'nestjs-emissions';
import { HeldAdapter, RecordingAdapter } from '../support/adapters.js';
import { silence } from '../support/logs.js';
import { Bench, range } from '../support/pipeline.js';
import { listen } from '../support/signals.js';
import { rounds, until } from '../support/until.js';

beforeEach(silence);

/** A consumer that is stuck with its first emission, with room for two more, and one that is healthy. */
async function stuck(overflow: OverflowPolicy, waitTimeoutMs = 60_000) {
  const bench = new Bench({ waitTimeoutMs });
  const adapter = bench.serve(new HeldAdapter(), {
    name: 'stuck',
    batchSize: 1,
    capacity: 3,
    overflow,
  });
  const healthy = bench.serve(new RecordingAdapter(), { name: 'healthy' });
  await bench.commit();
  await until(() => adapter.running === 1);
  return { bench, adapter, healthy };
}

/** Lets everything go that is held. */
async function drain(adapter: HeldAdapter): Promise<void> {
  while (adapter.running > 0) {
    adapter.release();
    await rounds();
  }
}

describe("With the policy 'drop-newest', a full queue", () => {
  it('sheds what comes when there is no room, of that consumer alone, and counts it', async () => {
    const { bench, adapter, healthy } = await stuck('drop-newest');
    using log = listen('emissions:consumer:overflowed', 'emissions:emission:dropped');
    await bench.commit(4, undefined, 2);
    await bench.commit(1, undefined, 6);
    await drain(adapter);

    expect(adapter.payloads).toEqual([1, 2, 3]);
    expect(healthy.payloads).toEqual(range(1, 6));
    const overflowed = { consumer: 'stuck', policy: 'drop-newest', capacity: 3 };
    expect(log.of('emissions:consumer:overflowed')).toEqual([
      { ...overflowed, count: 2 },
      { ...overflowed, count: 1 },
    ]);
    const dropped = { reason: 'overflow', emission: 'thing.happened', consumer: 'stuck' };
    expect(log.of('emissions:emission:dropped')).toEqual([
      { ...dropped, count: 2 },
      { ...dropped, count: 1 },
    ]);
    bench[Symbol.dispose]();
  });
});

describe("With the policy 'drop-oldest', a full queue", () => {
  it('sheds what has waited for longest, never what is being delivered, and counts it', async () => {
    const { bench, adapter, healthy } = await stuck('drop-oldest');
    using log = listen('emissions:consumer:overflowed', 'emissions:emission:dropped');
    await bench.commit(5, undefined, 2);
    await drain(adapter);

    expect(adapter.payloads).toEqual([1, 5, 6]);
    expect(healthy.payloads).toEqual(range(1, 6));
    expect(log.all.map(({ channel, message }) => [channel, message.count])).toEqual([
      ['emissions:consumer:overflowed', 3],
      ['emissions:emission:dropped', 3],
    ]);
    bench[Symbol.dispose]();
  });

  it('sheds what comes when all it holds is being delivered', async () => {
    using bench = new Bench();
    using log = listen('emissions:consumer:overflowed');
    const adapter = bench.serve(new HeldAdapter(), { capacity: 2, overflow: 'drop-oldest' });
    await bench.commit(2);
    await until(() => adapter.running === 1);
    await bench.commit(1, undefined, 3);
    await drain(adapter);

    expect(adapter.payloads).toEqual([1, 2]);
    expect(log.all).toHaveLength(1);
  });

  it('sheds what waits for a busy key before what came after it', async () => {
    using bench = new Bench();
    const adapter = bench.serve(new HeldAdapter(), {
      batchSize: 1,
      concurrency: 2,
      capacity: 4,
      overflow: 'drop-oldest',
    });
    await bench.commit(3, { key: 'hot' });
    await until(() => adapter.running === 1);
    await bench.commit(3, { key: 'cold' }, 11);
    await rounds();
    await drain(adapter);

    expect(adapter.payloads).toEqual([1, 11, 12, 13]);
  });

  it('sheds the oldest of all that wait for busy keys', async () => {
    using bench = new Bench();
    const adapter = bench.serve(new HeldAdapter(), {
      batchSize: 1,
      concurrency: 3,
      capacity: 6,
      overflow: 'drop-oldest',
    });
    const keyed = (n: number, key: string) => bench.emission('x', n, { key });
    await bench.pipeline.offer([keyed(1, 'a'), keyed(2, 'b'), keyed(3, 'b'), keyed(4, 'a')]);
    await bench.pipeline.offer([keyed(5, 'b'), keyed(6, 'a')]);
    await until(() => adapter.running === 2);
    await bench.commit(2, undefined, 7);
    await rounds();
    await drain(adapter);

    expect(new Set(adapter.payloads)).toEqual(new Set([1, 2, 5, 6, 7, 8]));
  });

  it('goes on with a key whose waiting emissions were all shed', async () => {
    using bench = new Bench();
    const adapter = bench.serve(new HeldAdapter(), {
      batchSize: 1,
      concurrency: 2,
      capacity: 2,
      overflow: 'drop-oldest',
    });
    await bench.commit(2, { key: 'hot' });
    await until(() => adapter.running === 1);
    await rounds();
    await bench.commit(1, { key: 'cold' }, 11);
    await rounds();
    await drain(adapter);
    await bench.commit(1, { key: 'hot' }, 3);
    await rounds();
    await drain(adapter);

    expect(adapter.payloads).toEqual([1, 11, 3]);
  });
});

describe.each(['drop-newest', 'drop-oldest'] as const)(
  'With the policy %s, a queue',
  (overflow) => {
    it('keeps to its capacity when somebody commits who hears that it sheds', async () => {
      const { bench } = await stuck(overflow);
      const counts: number[] = [];
      const stop = onSignal('emissions:consumer:overflowed', ({ count }) => {
        if (counts.push(count) === 1) void bench.commit(2, undefined, 7);
      });
      await bench.commit(5, undefined, 2);
      stop();

      expect(bench.pending('stuck')).toBe(3);
      expect(counts).toEqual([3, 2]);
      bench[Symbol.dispose]();
    });

    it('keeps to its capacity when what was reserved comes behind what a handler has not been given', async () => {
      using bench = new Bench();
      const consumer = { batchSize: 1, capacity: 3, overflow };
      bench.serveAs({ deliver: () => {} }, { name: 'handler', consumer, handle: () => true });
      const first = await bench.pipeline.reserve(bench.emissions(1));
      const second = await bench.pipeline.reserve(bench.emissions(2));
      using log = listen('emissions:emission:dropped');
      first.redeem();
      void bench.commit(2);
      second.redeem();

      expect(bench.pending('handler')).toBe(3);
      expect(log.of('emissions:emission:dropped')).toMatchObject([
        { reason: 'overflow', count: 2 },
      ]);
    });
  },
);

describe("With the policy 'reject', a full queue", () => {
  it('fails the commit at once with a PipelineFullError, and nobody gets anything of it', async () => {
    const { bench, adapter, healthy } = await stuck('reject');
    using log = listen('emissions:consumer:overflowed', 'emissions:consumer:waiting');
    const refused = bench.commit(3, undefined, 2);
    await expect(refused).rejects.toThrow(PipelineFullError);
    await expect(refused).rejects.toMatchObject({
      code: 'EMISSIONS_PIPELINE_FULL',
      statusCode: 503,
      consumer: 'stuck',
      message: expect.stringMatching(/stuck is full \(3 emissions\).*'reject'/),
    });
    await drain(adapter);

    expect([adapter.payloads, healthy.payloads]).toEqual([[1], [1]]);
    expect(log.all).toEqual([
      {
        channel: 'emissions:consumer:overflowed',
        message: { consumer: 'stuck', policy: 'reject', count: 3, capacity: 3 },
      },
    ]);
    bench[Symbol.dispose]();
  });

  it('takes what fits', async () => {
    const { bench, adapter } = await stuck('reject');
    await bench.commit(2, undefined, 2);
    await drain(adapter);

    expect(adapter.payloads).toEqual([1, 2, 3]);
    bench[Symbol.dispose]();
  });

  it('fails the commit also when that would have to wait for another consumer', async () => {
    using bench = new Bench();
    bench.serve(new HeldAdapter(), { name: 'waits', capacity: 1, overflow: 'wait' });
    bench.serve(new HeldAdapter(), { name: 'rejects', capacity: 1, overflow: 'reject' });
    await bench.commit();

    await expect(bench.commit()).rejects.toMatchObject({ consumer: 'rejects' });
  });

  it('fails a commit that waits for another consumer, when it has filled up meanwhile', async () => {
    using bench = new Bench();
    const waits = bench.serve(choosy('x'), { name: 'waits', capacity: 1 });
    const rejects = bench.serve(new HeldAdapter(), {
      name: 'rejects',
      capacity: 2,
      overflow: 'reject',
    });
    await bench.pipeline.offer([bench.emission('x')]);
    const waiting = bench.pipeline.offer([bench.emission('x')]);
    await bench.pipeline.offer([bench.emission('y')]);
    await until(() => waits.running === 1);
    waits.release();

    await expect(waiting).rejects.toMatchObject({ consumer: 'rejects' });
    expect(rejects.names).toEqual(['x', 'y']);
    expect(waits.names).toEqual(['x']);
  });
});

describe('A stuck consumer', () => {
  it.each(['drop-oldest', 'drop-newest', 'reject', 'wait'] as const)(
    'never holds more than its capacity: %s',
    async (overflow) => {
      const { bench } = await stuck(overflow, 1);
      const commits = range(1, 50).map((n) => bench.commit((n % 3) + 1));
      expect(bench.pending('stuck')).toBe(3);
      await Promise.allSettled(commits);

      expect(bench.pending('stuck')).toBe(3);
      bench[Symbol.dispose]();
    },
  );
});

/** Wants emissions of one name. */
function choosy(wanted: string): HeldAdapter {
  return Object.assign(new HeldAdapter(), {
    interested: ({ name }: { name: string }) => name === wanted,
  });
}
