import { beforeEach, describe, expect, it } from '@jest/globals';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { DeliveryContext, Emission } from 'nestjs-emissions';
import type { SingleCall } from '../../lib/emission/destination.js';
import { RecordingAdapter } from '../support/adapters.js';
import { silence } from '../support/logs.js';
import { Bench, payloads, range } from '../support/pipeline.js';
import { listen } from '../support/signals.js';
import { keepBusy, nextRound, rounds } from '../support/until.js';

beforeEach(silence);

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

type Handle = (emission: Emission, call: DeliveryContext) => void | Promise<void>;

/** Serves a destination that handles emissions one at a time, as handlers do. */
function serve(
  bench: Bench,
  name: string,
  handle: Handle,
  consumer: Parameters<Bench['serveAs']>[1]['consumer'] = {},
): void {
  bench.serveAs(
    { deliver: ([emission], call) => handle(emission!, call) },
    {
      name,
      consumer: { batchSize: 1, ...consumer },
      handle: (emission, call) => {
        const pending = handle(emission, call);
        pending?.then(
          () => call.succeeded(),
          (error: unknown) => call.failed(error),
        );
        return pending !== undefined;
      },
    },
  );
}

describe('What arrives for handlers', () => {
  it('is handled in a later round of the event loop, emission by emission, each by all', async () => {
    using bench = new Bench();
    const calls: string[] = [];
    for (const name of ['a', 'b']) {
      serve(bench, name, ({ payload }) => void calls.push(`${name}${String(payload)}`));
    }
    await bench.commit(2);
    expect(calls).toEqual([]);
    expect([bench.pending('a'), bench.pending('b')]).toEqual([2, 2]);
    // The first call may take longer than a round.
    await bench.settled();

    expect(calls).toEqual(['a1', 'b1', 'a2', 'b2']);
    expect([bench.pending('a'), bench.pending('b')]).toEqual([0, 0]);
  });

  it('is queued behind what a busy one has not handled, and keeps its order', async () => {
    using bench = new Bench();
    const busy = Promise.withResolvers<void>();
    const seen: unknown[] = [];
    serve(
      bench,
      'slow',
      ({ payload }) => {
        seen.push(payload);
        return payload === 1 ? busy.promise : undefined;
      },
      { concurrency: 1 },
    );
    await bench.commit(2);
    await rounds();
    await bench.commit(2, undefined, 3);
    await rounds();
    expect(seen).toEqual([1]);
    busy.resolve();
    await bench.settled();

    expect(seen).toEqual([1, 2, 3, 4]);
  });

  it('waits for its key, through a failure and the pause before the retry; other keys go on', async () => {
    using bench = new Bench();
    const seen: unknown[] = [];
    const retry = { attempts: 2, backoffMs: 100, jitter: 0 };
    serve(
      bench,
      'keyed',
      ({ payload }, { attempt }) => {
        seen.push(payload);
        if (payload === 1 && attempt === 1) throw new Error('once');
      },
      { concurrency: 4, retry },
    );
    await bench.commit(1, { key: 'k' }, 1);
    await bench.commit(1, { key: 'k' }, 2);
    await bench.commit(1, { key: 'other' }, 3);
    await bench.settled();

    expect(seen).toEqual([1, 3, 1, 2]);
  });

  it('waits for its key while a call of that key is under way', async () => {
    using bench = new Bench();
    const held = Promise.withResolvers<void>();
    const seen: unknown[] = [];
    serve(
      bench,
      'keyed',
      ({ payload }) => {
        seen.push(payload);
        return payload === 1 ? held.promise : undefined;
      },
      { concurrency: 4 },
    );
    await bench.commit(1, { key: 'k' }, 1);
    await bench.commit(1, { key: 'k' }, 2);
    await bench.commit(1, undefined, 3);
    await rounds();
    expect(seen).toEqual([1, 3]);
    held.resolve();
    await bench.settled();

    expect(seen).toEqual([1, 3, 2]);
  });

  it('comes with something to share where others get it too, which is its own', async () => {
    using bench = new Bench();
    const told: string[] = [];
    const things: unknown[] = [];
    for (const [name, wanted] of [
      ['a', ['one', 'both']],
      ['b', ['both']],
    ] as const) {
      const wants = {
        interested: (emission: Emission) => wanted.includes(emission.name as 'both'),
      };
      bench.serveAs(Object.assign(new RecordingAdapter(), wants), {
        ...{ name, consumer: { batchSize: 1 } },
        handle: (emission, _call, slot) => {
          told.push(`${name}: ${emission.name} ${slot === undefined ? 'alone' : 'shared'}`);
          if (slot !== undefined) things.push(slot);
          return false;
        },
      });
    }
    void bench.pipeline.offer(['one', 'both', 'both'].map((each) => bench.emission(each)));
    await bench.settled();

    const both = ['a: both shared', 'b: both shared'];
    expect(told).toEqual(['a: one alone', ...both, ...both]);
    const [first, second, third, fourth] = things;
    expect(second).toBe(first);
    expect(fourth).toBe(third);
    expect(third).not.toBe(first);
  });

  it('counts as pending, and what does not fit waits', async () => {
    using bench = new Bench();
    serve(bench, 'small', () => {}, { capacity: 2 });
    await bench.commit(2);
    const third = bench.commit(1, undefined, 3);
    let gone = false;
    void third.then(() => (gone = true));
    await Promise.resolve();

    expect([bench.pending('small'), gone]).toEqual([2, false]);
    await third;
  });

  it('is dropped and signalled when a handler before it removes the one it is for', async () => {
    using bench = new Bench();
    using log = listen('emissions:emission:dropped');
    const seen: unknown[] = [];
    serve(bench, 'first', () => void bench.pipeline.remove('handler', 'second'));
    serve(bench, 'second', ({ payload }) => void seen.push(payload));
    await bench.commit(3);
    await bench.settled();

    expect(seen).toEqual([]);
    expect(log.all.map(({ message }) => message)).toEqual([
      expect.objectContaining({ reason: 'removed', consumer: 'second', count: 3 }),
    ]);
  });

  it('lets a handler remove itself, which is over when its call is', async () => {
    using bench = new Bench();
    let removed: Promise<boolean> | undefined;
    serve(bench, 'leaving', ({ payload }) => {
      if (payload === 3) removed = bench.pipeline.remove('handler', 'leaving');
    });
    await bench.commit(3);
    await bench.settled();

    expect(await removed).toBe(true);
  });

  it('reaches those behind a handler that removes one it is not for', async () => {
    using bench = new Bench();
    const seen: unknown[] = [];
    bench.serveAs(new RecordingAdapter(), { name: 'other', matches: () => false });
    serve(bench, 'first', () => void bench.pipeline.remove('handler', 'other'));
    serve(bench, 'second', ({ payload }) => void seen.push(payload));
    await bench.commit(2);
    await bench.settled();

    expect(seen).toEqual([1, 2]);
  });

  it('reaches each once when a handler removes one after another, and commits in between', async () => {
    using bench = new Bench();
    const seen: unknown[] = [];
    const behind: unknown[] = [];
    for (const name of ['one', 'other'])
      bench.serveAs(new RecordingAdapter(), { name, matches: () => false });
    serve(bench, 'first', ({ payload }) => {
      seen.push(payload);
      if (payload !== 2) return;
      void bench.pipeline.remove('handler', 'one');
      void bench.commit(1, undefined, 4);
      void bench.pipeline.remove('handler', 'other');
      void bench.commit(2, undefined, 5);
    });
    serve(bench, 'second', ({ payload }) => void behind.push(payload));
    await bench.commit(3);
    await bench.settled();

    expect(seen).toEqual(range(1, 6));
    expect(behind).toEqual(range(1, 6));
  });

  it('is reported as left when the pipeline closes before it was given out', async () => {
    const bench = new Bench();
    serve(bench, 'late', () => {});
    await bench.commit(3);

    expect(bench.pipeline.close()).toEqual({
      drained: false,
      left: [{ consumer: 'late', count: 3 }],
    });
  });

  it('is given up without a word to those who wait when a handler closes the pipeline', async () => {
    using bench = new Bench();
    const seen: unknown[] = [];
    serve(bench, 'closing', ({ payload }) => {
      seen.push(payload);
      bench.pipeline.close();
    });
    await bench.commit(3);
    await rounds();

    expect(seen).toEqual([1]);
    expect(bench.pending('closing')).toBe(0);
  });

  it('leaves the event loop its turns, however much there is', async () => {
    using bench = new Bench();
    let handled = 0;
    serve(bench, 'busy', () => {
      handled++;
      keepBusy(2);
    });
    await bench.commit(20);
    await nextRound();
    const first = handled;
    await bench.settled();

    expect(first).toBeLessThan(20);
    expect(handled).toBe(20);
  });

  it('is given out in full when each of many commits takes up a round', async () => {
    using bench = new Bench();
    const seen: unknown[] = [];
    serve(bench, 'busy', ({ payload }) => {
      seen.push(payload);
      keepBusy(2);
    });
    for (let n = 1; n <= 10; n++) await bench.commit(1, undefined, n);
    await bench.settled();

    expect(seen).toEqual(range(1, 10));
  });

  it('goes behind what waits for room, and goes as soon as that has gone', async () => {
    using bench = new Bench();
    const calls: SingleCall[] = [];
    const seen: unknown[] = [];
    const handle = ({ payload }: Emission, call: SingleCall): true => {
      seen.push(payload);
      calls.push(call);
      return true;
    };
    const consumer = { batchSize: 1, capacity: 3, concurrency: 3, overflow: 'wait' } as const;
    bench.serveAs(new RecordingAdapter(), { consumer, handle });
    await bench.commit(2);
    const large = bench.commit(2, undefined, 3);
    const small = bench.commit(1, undefined, 5);
    await rounds();
    const before = [...seen];
    for (let over = 0; over < 5; over++) {
      calls.shift()!.succeeded();
      await rounds();
    }
    await Promise.all([large, small]);

    expect(before).toEqual([1, 2]);
    expect(seen).toEqual([1, 2, 3, 4, 5]);
  });

  it.each([[['late', 'late']], [['late', 'later']]])(
    'goes behind what began to wait while it was found out who takes %j',
    async (names) => {
      using bench = new Bench();
      const calls: SingleCall[] = [];
      const seen: unknown[] = [];
      const consumer = { batchSize: 1, capacity: 4, concurrency: 4, overflow: 'wait' } as const;
      const handle = ({ payload }: Emission, call: SingleCall): true => {
        seen.push(payload);
        calls.push(call);
        return true;
      };
      bench.serveAs(new RecordingAdapter(), { consumer, handle });
      const waiting: (void | Promise<void>)[] = [];
      const commitsFirst = (name: string): boolean => {
        if (name === names.at(-1) && waiting.length === 0)
          waiting.push(bench.commit(3, undefined, 3));
        return false;
      };
      bench.serveAs(new RecordingAdapter(), { matches: commitsFirst });
      await bench.commit(2);
      waiting.push(bench.pipeline.offer(names.map((name, i) => bench.emission(name, 6 + i))));
      await rounds();
      const before = [...seen];
      for (let over = 0; over < 7; over++) {
        calls.shift()!.succeeded();
        await rounds();
      }
      await Promise.all(waiting as Promise<void>[]);

      expect(before).toEqual([1, 2]);
      expect(seen).toEqual(range(1, 7));
    },
  );

  it('is one emission, for a handler that takes one in its life', async () => {
    using bench = new Bench();
    const seen: unknown[] = [];
    const handle = ({ payload }: Emission): false => (seen.push(payload), false);
    bench.serveAs(new RecordingAdapter(), { once: true, consumer: { batchSize: 1 }, handle });
    await bench.commit(3);
    await bench.commit(3);
    await bench.settled();

    expect(seen).toEqual([1]);
  });

  it('is not kept once it has been given out, though there is more', async () => {
    using bench = new Bench();
    const kept: (boolean | undefined)[] = [];
    let first: WeakRef<Emission> | undefined;
    serve(bench, 'counting', ({ payload }) => {
      if (payload !== 3) return;
      collectGarbage();
      kept.push(first!.deref() !== undefined);
    });
    await (async () => {
      const emission = bench.emission(undefined, 1);
      first = new WeakRef(emission);
      await bench.pipeline.offer([emission]);
    })();
    for (const n of [2, 3, 4]) await bench.commit(1, undefined, n);
    await bench.settled();

    expect(kept).toEqual([false]);
  });

  it.each([1, 16])(
    'leaves the event loop its turns also where slow calls follow quick ones that were waited for, %i at a time',
    async (concurrency) => {
      using bench = new Bench();
      let slow = 0;
      const mixed: Handle = ({ payload }) => {
        if (Number(payload) <= 80) return Promise.resolve();
        slow++;
        keepBusy(2);
      };
      serve(bench, 'mixed', mixed, { concurrency });
      await bench.commit(120);
      let most = 0;
      for (let before = 0; slow < 40; before = slow) {
        await nextRound();
        most = Math.max(most, slow - before);
      }

      expect(most).toBeLessThan(20);
    },
  );

  it('does not take a round of the event loop for each `concurrency` of handlers that only wait for promises', async () => {
    using bench = new Bench();
    let handled = 0;
    serve(
      bench,
      'prompt',
      async () => {
        await Promise.resolve();
        handled++;
      },
      { concurrency: 2 },
    );
    await bench.commit(40);
    let waited = 0;
    for (; handled < 40; waited++) await nextRound();

    expect(waited).toBeLessThan(20);
  });

  it.each<[string, (bench: Bench) => unknown]>([
    ['removes another one', (bench) => bench.pipeline.remove('handler', 'other')],
    ['commits what has to go the long way', (bench) => bench.commit(1, undefined, 99)],
  ])('keeps its order when a handler before it %s', async (_, act) => {
    using bench = new Bench();
    const seen: unknown[] = [];
    serve(bench, 'other', () => {});
    serve(bench, 'small', () => new Promise(() => {}), { capacity: 1, overflow: 'drop-newest' });
    serve(bench, 'first', ({ payload }) => void (payload === 1 && act(bench)));
    serve(bench, 'second', ({ payload }) => void seen.push(payload), { concurrency: 1 });
    await bench.commit(1, { key: 'k' }, 0);
    await rounds();
    await bench.commit(3, { key: 'k' });
    await rounds();

    expect(seen.filter((payload) => payload !== 99)).toEqual([0, 1, 2, 3]);
  });

  it('reaches batches and single handlers of one commit alike, in order', async () => {
    using bench = new Bench();
    const single: Emission[] = [];
    const batches: Emission[] = [];
    serve(bench, 'single', (emission) => void single.push(emission));
    bench.serve({ deliver: (batch) => void batches.push(...batch) });
    for (let i = 0; i < 5; i++) await bench.commit(3, undefined, 1 + i * 3);
    await bench.settled();

    expect(payloads(single)).toEqual(range(1, 15));
    expect(payloads(batches)).toEqual(range(1, 15));
  });
});
