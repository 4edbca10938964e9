import { beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { PartialDeliveryError, type Emission } from 'nestjs-emissions';
import { HeldAdapter, RecordingAdapter, failing } from '../support/adapters.js';
import { silence } from '../support/logs.js';
import { Bench, payloads, range } from '../support/pipeline.js';
import { listen } from '../support/signals.js';
import { nextRound, rounds, until } from '../support/until.js';

beforeAll(silence);

/** One emission a call, several calls at once. */
const parallel = { batchSize: 1, concurrency: 3 };

describe('With several calls at once', () => {
  it('emissions of one key go one behind another, and other keys go on', async () => {
    using bench = new Bench();
    const adapter = bench.serve(new HeldAdapter(), parallel);
    await bench.pipeline.offer([
      bench.emission('a1', 1, { key: 'a' }),
      bench.emission('a2', 2, { key: 'a' }),
      bench.emission('a3', 3, { key: 'a' }),
      bench.emission('b1', 4, { key: 'b' }),
      bench.emission('b2', 5, { key: 'b' }),
    ]);
    await rounds();
    expect(adapter.names).toEqual(['a1', 'b1']);
    adapter.release();
    await rounds();
    expect(adapter.names).toEqual(['a1', 'b1', 'a2']);
    adapter.release();
    await rounds();

    expect(adapter.names).toEqual(['a1', 'b1', 'a2', 'b2']);
  });

  it('emissions without a key wait for nobody', async () => {
    using bench = new Bench();
    const adapter = bench.serve(new HeldAdapter(), parallel);
    await bench.pipeline.offer([
      ...bench.emissions(3, { key: 'hot' }),
      bench.emission('free'),
      bench.emission('free'),
    ]);
    await rounds();

    expect(adapter.names).toEqual(['thing.happened', 'free', 'free']);
  });

  it('a hot key takes one call, however much there is of it', async () => {
    using bench = new Bench();
    const adapter = bench.serve(new HeldAdapter(), { batchSize: 2, concurrency: 2 });
    await bench.commit(100, { key: 'hot' });
    await bench.commit(4, { key: 'cold' }, 1_001);
    await rounds();
    expect(adapter.running).toBe(2);
    expect(adapter.payloads).toEqual([1, 2, 1_001, 1_002]);
    adapter.release();
    await rounds();

    expect(adapter.payloads.slice(4)).toEqual([3, 4]);
    expect(adapter.running).toBe(2);
  });

  it('a key stays busy while what failed of it waits to be retried', async () => {
    using bench = new Bench();
    const delivered: unknown[] = [];
    let fails = 2;
    bench.serve(
      {
        deliver: ([emission]) => {
          if (emission!.payload === 1 && fails-- > 0) throw new Error('not yet');
          delivered.push(emission!.payload);
        },
      },
      { ...parallel, retry: { attempts: 3, backoffMs: 0 } },
    );
    await bench.commit(3, { key: 'a' });
    await bench.commit(1, { key: 'b' }, 4);
    await bench.settled();

    expect(delivered).toEqual([4, 1, 2, 3]);
  });

  it('a key goes on after what was given up', async () => {
    using bench = new Bench();
    const delivered: unknown[] = [];
    bench.serve(
      {
        deliver: ([emission]) =>
          emission!.payload === 1 ? failing('no')() : void delivered.push(emission!.payload),
      },
      parallel,
    );
    await bench.commit(3, { key: 'a' });
    await bench.settled();

    expect(delivered).toEqual([2, 3]);
  });

  it('a key whose emissions have all expired holds up nobody', async () => {
    using bench = new Bench();
    using log = listen('emissions:emission:expired');
    const adapter = bench.serve(new HeldAdapter(), { batchSize: 1, concurrency: 2 });
    await bench.commit(1, { key: 'a' });
    await bench.commit(1, { key: 'a', ttlMs: 0 }, 2);
    await bench.commit(1, { key: 'a' }, 3);
    await until(() => adapter.running === 1);
    adapter.release();
    await until(() => adapter.running === 1);

    expect(adapter.payloads).toEqual([1, 3]);
    expect(log.all).toHaveLength(1);
  });

  it('what waited for busy keys goes in batches that are full, and no fuller', async () => {
    using bench = new Bench();
    const adapter = bench.serve(new HeldAdapter(), { batchSize: 2, concurrency: 2 });
    const keyed = (n: number, key: string) => bench.emission('x', n, { key });
    await bench.pipeline.offer([keyed(1, 'a'), keyed(2, 'b'), keyed(3, 'a'), keyed(4, 'b')]);
    await bench.pipeline.offer([keyed(5, 'b')]);
    await rounds();
    adapter.release();
    await rounds();

    expect(adapter.batches.map(payloads)).toEqual([
      [1, 2],
      [3, 4],
    ]);
  });

  it('what waits for a busy key counts as pending', async () => {
    using bench = new Bench();
    const adapter = bench.serve(new HeldAdapter(), { ...parallel, name: 'slow' });
    await bench.commit(5, { key: 'a' });
    await until(() => adapter.running === 1);

    expect(bench.pending('slow')).toBe(5);
  });
});

describe('Whatever the keys, batch sizes, concurrency and failures', () => {
  const program = fc.record({
    batchSize: fc.integer({ min: 1, max: 7 }),
    concurrency: fc.integer({ min: 2, max: 5 }),
    keys: fc.array(fc.option(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { nil: undefined }), {
      minLength: 1,
      maxLength: 80,
      size: 'max',
    }),
    perCommit: fc.integer({ min: 1, max: 10 }),
    script: fc.infiniteStream(
      fc.record({
        rounds: fc.integer({ min: 0, max: 4 }),
        result: fc.constantFrom('ok', 'ok', 'ok', 'throw', 'reject', 'partial'),
      }),
    ),
  });

  it('nothing is lost or done twice, no key overlaps itself, and every key keeps its order', async () => {
    await fc.assert(
      fc.asyncProperty(program, async ({ batchSize, concurrency, keys, perCommit, script }) => {
        using bench = new Bench();
        const delivered: Emission[] = [];
        const busy: string[] = [];
        const overlaps: string[] = [];
        let failures = 60;
        let running = 0;
        let most = 0;
        let largest = 0;
        const work = async (batch: readonly Emission[]) => {
          most = Math.max(most, ++running);
          largest = Math.max(largest, batch.length);
          overlaps.push(...keysOf(batch).filter((key) => busy.includes(key)));
          busy.push(...keysOf(batch));
          const step = script.next().value;
          const result = failures-- > 0 ? step.result : 'ok';
          try {
            for (let i = 0; i < step.rounds; i++) await nextRound();
            if (result === 'throw' || result === 'reject') throw new Error(result);
            const failed = result === 'partial' ? everyOtherKeyOf(batch) : [];
            delivered.push(...batch.filter((emission) => !failed.includes(emission)));
            if (failed.length > 0) throw new PartialDeliveryError(failed);
          } finally {
            running--;
            for (const key of keysOf(batch)) busy.splice(busy.indexOf(key), 1);
          }
        };
        bench.serve(
          { deliver: work },
          { batchSize, concurrency, retry: { attempts: 100, backoffMs: 0 } },
        );
        const all = keys.map((key, i) => bench.emission('x', i, { key }));
        for (let i = 0; i < all.length; i += perCommit) {
          await bench.pipeline.offer(all.slice(i, i + perCommit));
        }
        await bench.settled();

        expect(overlaps).toEqual([]);
        expect(most).toBeLessThanOrEqual(concurrency);
        expect(largest).toBeLessThanOrEqual(batchSize);
        expect(
          delivered.map(({ payload }) => payload).toSorted((a, b) => Number(a) - Number(b)),
        ).toEqual(range(0, all.length - 1));
        for (const key of keysOf(all)) {
          const of = (emissions: Emission[]) =>
            payloads(emissions.filter((each) => each.key === key));
          expect(of(delivered)).toEqual(of(all));
        }
      }),
      { numRuns: 60 },
    );
  });

  it('one call at a time keeps the order of everything', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 7 }),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 12 }),
        async (batchSize, commits) => {
          using bench = new Bench({ batchSize });
          const adapter = bench.serve(new RecordingAdapter());
          let next = 1;
          for (const count of commits) {
            await bench.commit(count, { key: `${next % 3}` }, next);
            next += count;
          }
          await bench.settled();
          expect(adapter.payloads).toEqual(range(1, next - 1));
          expect(Math.max(...adapter.sizes)).toBeLessThanOrEqual(batchSize);
        },
      ),
      { numRuns: 40 },
    );
  });
});

function keysOf(batch: readonly Emission[]): string[] {
  return [...new Set(batch.flatMap(({ key }) => key ?? []))];
}

/** What fails of a batch: whole keys, as an adapter that keeps the order within a key would have it. */
function everyOtherKeyOf(batch: readonly Emission[]): Emission[] {
  const keys = [undefined, ...keysOf(batch)];
  return batch.filter(({ key }) => keys.indexOf(key) % 2 === 1);
}
