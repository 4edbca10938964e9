import { describe, expect, it } from '@jest/globals';
import { PipelineClosedError, PipelineFullError, type Emission } from 'nestjs-emissions';
import type { CommitStorage } from '../../lib/emission/adapter.js';
import { HeldAdapter, RecordingAdapter, failing } from '../support/adapters.js';
import { captureLogs } from '../support/logs.js';
import { Bench, payloads, range } from '../support/pipeline.js';
import { listen } from '../support/signals.js';
import { rounds } from '../support/until.js';

/** Stores when the test says so. */
class HeldStorage implements CommitStorage {
  readonly stored: unknown[] = [];
  readonly #held: { store(): void; fail(error: Error): void }[] = [];

  plan(emissions: readonly Emission[]) {
    return async (): Promise<void> => {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      this.#held.push({ store: resolve, fail: reject });
      await promise;
      this.stored.push(...payloads(emissions));
    };
  }

  /** How many commits are being stored. */
  get busy(): number {
    return this.#held.length;
  }

  store(): void {
    this.#held.shift()!.store();
  }

  fail(error: Error): void {
    this.#held.shift()!.fail(error);
  }
}

function storing(bench: Bench): HeldStorage {
  const storage = new HeldStorage();
  bench.pipeline.storeWith(storage, () => true);
  return storage;
}

describe('A commit that owes something to be stored', () => {
  it('is handed over when it is stored', async () => {
    using bench = new Bench();
    const storage = storing(bench);
    const adapter = bench.serve(new RecordingAdapter());
    const commit = bench.commit(2);
    await rounds();
    expect([storage.busy, adapter.emissions]).toEqual([1, []]);
    storage.store();
    await commit;
    await bench.settled();

    expect([storage.stored, payloads(adapter.emissions)]).toEqual([
      [1, 2],
      [1, 2],
    ]);
  });

  it('is not stored when a queue has no room for it', async () => {
    using bench = new Bench({ waitTimeoutMs: 1 });
    const storage = storing(bench);
    const held = bench.serve(new HeldAdapter(), { capacity: 2, overflow: 'wait' });
    const first = bench.commit(2);
    await rounds();
    storage.store();
    await first;

    await expect(bench.commit(1, undefined, 3)).rejects.toThrow(PipelineFullError);
    expect([storage.busy, storage.stored]).toEqual([0, [1, 2]]);
    held.release();
  });

  it('has its room while it is stored, so that it cannot be refused afterwards', async () => {
    using bench = new Bench();
    const storage = storing(bench);
    const adapter = bench.serve(new RecordingAdapter(), { capacity: 3, overflow: 'reject' });
    const commits = [bench.commit(2), bench.commit(1, undefined, 3)];
    await rounds();
    expect(storage.busy).toBe(2);
    await expect(bench.commit(1, undefined, 4)).rejects.toThrow(PipelineFullError);
    storage.store();
    storage.store();
    await Promise.all(commits);
    await bench.settled();

    expect(payloads(adapter.emissions)).toEqual([1, 2, 3]);
  });

  it('gives its room back when it cannot be stored, to those who wait for it', async () => {
    using bench = new Bench();
    const storage = storing(bench);
    const adapter = bench.serve(new RecordingAdapter(), { capacity: 1 });
    const tapped: unknown[] = [];
    bench.pipeline.tap((emissions) => tapped.push(...payloads(emissions)));
    const failed = bench.commit(1);
    const waiting = bench.commit(1, undefined, 2);
    await rounds();
    expect(storage.busy).toBe(1);
    storage.fail(new Error('no disk'));
    await expect(failed).rejects.toThrow('no disk');
    await rounds();
    storage.store();
    await waiting;
    await bench.settled();

    expect([payloads(adapter.emissions), tapped]).toEqual([[2], [2]]);
  });

  it('goes behind what has arrived before', async () => {
    using bench = new Bench();
    const handled: unknown[] = [];
    bench.serveAs(new RecordingAdapter(), {
      consumer: { batchSize: 1 },
      handle: ({ payload }) => {
        handled.push(payload);
        return false;
      },
    });
    const storage = storing(bench);
    storage.plan = function (emissions) {
      return emissions.some(({ payload }) => payload === 2)
        ? HeldStorage.prototype.plan.call(this, emissions)
        : (undefined as never);
    };
    const stored = bench.commit(1, undefined, 2);
    await rounds();
    await bench.commit(1);
    storage.store();
    await stored;
    await bench.settled();

    expect(handled).toEqual([1, 2]);
  });

  it('takes no room where emissions are shed', async () => {
    using bench = new Bench();
    const storage = storing(bench);
    const adapter = bench.serve(new RecordingAdapter(), { capacity: 2, overflow: 'drop-newest' });
    const commits = [bench.commit(2), bench.commit(2, undefined, 3)];
    await rounds();
    storage.store();
    await commits[0];
    await rounds();
    storage.store();
    await commits[1];
    await bench.settled();

    expect(payloads(adapter.emissions)).toEqual(range(1, 4));
  });

  it('counts as unsettled, and is waited for', async () => {
    using bench = new Bench();
    const storage = storing(bench);
    bench.serve(new RecordingAdapter());
    const commit = bench.commit(1);
    await rounds();
    await expect(bench.pipeline.settled(1)).rejects.toThrow('commits in progress: 1');
    storage.store();
    await commit;
    await bench.settled();
  });

  it('fails before anything else is done when it cannot be told what it owes', async () => {
    using bench = new Bench();
    const adapter = bench.serve(new RecordingAdapter(), { capacity: 1, overflow: 'reject' });
    const error = new Error('no idea');
    bench.pipeline.storeWith({ plan: failing(error) }, () => true);
    await expect(bench.commit(1)).rejects.toBe(error);
    bench.pipeline.storeWith({ plan: () => undefined }, () => true);
    await bench.commit(1);
    await bench.settled();

    expect(adapter.emissions).toHaveLength(1);
  });

  it('costs no promise when it owes nothing', () => {
    using bench = new Bench();
    bench.pipeline.storeWith({ plan: () => undefined }, () => true);

    expect(bench.pipeline.offer([bench.emission('a')])).toBeUndefined();
  });

  it('is kept with those that come before the start, also when that comes first', async () => {
    using bench = new Bench({ capacity: 3 }, { started: false });
    const storage = storing(bench);
    const adapter = bench.serve(new RecordingAdapter());
    const commits = [bench.commit(1), bench.commit(2, undefined, 2)];
    await rounds();
    await expect(bench.commit(1, undefined, 4)).rejects.toThrow(PipelineFullError);
    storage.store();
    await commits[0];
    bench.pipeline.start();
    storage.store();
    await commits[1];
    await bench.settled();

    expect(payloads(adapter.emissions)).toEqual([1, 2, 3]);
  });

  it.each([true, false])(
    'is dropped with a signal when everything closes meanwhile (started: %s)',
    async (started) => {
      using _ = captureLogs();
      using log = listen('emissions:emission:dropped');
      using bench = new Bench({}, { started });
      const storage = storing(bench);
      bench.serve(new RecordingAdapter());
      const commit = bench.commit(2);
      await rounds();
      bench.pipeline.close();
      storage.store();
      await commit;

      expect(log.of('emissions:emission:dropped')).toMatchObject([
        { reason: 'shutdown', count: 2 },
      ]);
      await expect(bench.commit(1)).rejects.toThrow(PipelineClosedError);
    },
  );
});
