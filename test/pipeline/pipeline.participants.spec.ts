import { describe, expect, it } from '@jest/globals';
import type { CommitParticipant } from '../../lib/emission/adapter.js';
import { RecordingAdapter, failing } from '../support/adapters.js';
import { Bench } from '../support/pipeline.js';
import { nextRound, rounds } from '../support/until.js';

type Accept = CommitParticipant['accept'];

describe('What takes part in a commit', () => {
  it('is asked one behind another, each with what the one before it made of the commit', async () => {
    using bench = new Bench();
    const adapter = bench.serve(new RecordingAdapter());
    const asked: string[][] = [];
    const adding =
      (name: string): Accept =>
      (emissions) => {
        asked.push(emissions.map((each) => each.name));
        return [...emissions, bench.emission(name)];
      };
    const later =
      (accept: Accept): Accept =>
      async (emissions) => {
        await nextRound();
        return accept(emissions);
      };
    bench.pipeline.join({ accept: (emissions) => emissions });
    bench.pipeline.join({ accept: adding('b') });
    bench.pipeline.join({ accept: later(adding('c')) });
    bench.pipeline.join({ accept: adding('d') });
    bench.pipeline.join({ accept: later(adding('e')) });
    await bench.pipeline.offer([bench.emission('a')]);
    await bench.settled();

    expect(asked).toEqual([['a'], ['a', 'b'], ['a', 'b', 'c'], ['a', 'b', 'c', 'd']]);
    expect(adapter.names).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('costs no promise when none is made', () => {
    using bench = new Bench();
    bench.pipeline.join({ accept: (emissions) => emissions });

    expect(bench.pipeline.offer([bench.emission('a')])).toBeUndefined();
  });

  it.each<[string, Accept]>([
    ['throws', failing(new Error('no'))],
    ['rejects', () => Promise.reject(new Error('no'))],
  ])(
    'that %s fails the commit: nobody is asked after it, and nothing is handed over',
    async (_, accept) => {
      using bench = new Bench();
      const adapter = bench.serve(new RecordingAdapter());
      let asked = false;
      const tapped: unknown[] = [];
      bench.pipeline.tap((emissions) => tapped.push(...emissions));
      bench.pipeline.join({ accept });
      bench.pipeline.join({
        accept: (emissions) => {
          asked = true;
          return emissions;
        },
      });

      await expect(bench.commit()).rejects.toThrow('no');
      await rounds();
      expect([asked, adapter.batches, tapped]).toEqual([false, [], []]);
    },
  );
});

describe('A tap', () => {
  it('sees each emission once, when it is handed over: at once, after it waited, and while it is kept', async () => {
    using bench = new Bench({}, { started: false });
    let finish: () => void = () => {};
    bench.serve({ deliver: () => new Promise((resolve) => (finish = resolve)) }, { capacity: 1 });
    const seen: unknown[] = [];
    const stop = bench.pipeline.tap((emissions) =>
      seen.push(...emissions.map((each) => each.payload)),
    );
    await bench.commit(1);
    expect(seen).toEqual([1]);
    bench.pipeline.start();
    const waiting = bench.commit(1, undefined, 2);
    await rounds();
    expect(seen).toEqual([1]);
    finish();
    await waiting;
    await rounds();
    finish();
    expect(seen).toEqual([1, 2]);
    stop();
    await bench.commit(1, undefined, 3);

    expect(seen).toEqual([1, 2]);
  });
});
