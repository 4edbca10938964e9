import { beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Emission, OverflowPolicy } from 'nestjs-emissions';
import type { SingleCall } from '../../lib/emission/destination.js';
import { PipelineFullError } from '../../lib/pipeline/pipeline.errors.js';
import type { Place } from '../../lib/pipeline/place.js';
import { HeldAdapter } from '../support/adapters.js';
import { silence } from '../support/logs.js';
import { Bench } from '../support/pipeline.js';
import { listen } from '../support/signals.js';
import { nextRound, rounds } from '../support/until.js';

beforeAll(silence);

const LETTERS = ['a', 'b', 'c'] as const;
type Letter = (typeof LETTERS)[number];

/** Names of one commit; whoever's letter is in a name takes it. */
const names = fc.oneof(
  { weight: 6, arbitrary: oneName(4) },
  {
    weight: 6,
    arbitrary: fc.array(fc.constantFrom('a', 'b', 'ab', 'abc'), { minLength: 1, maxLength: 3 }),
  },
);
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ commit: names }) },
  { weight: 2, arbitrary: fc.record({ reserve: names }) },
  { weight: 1, arbitrary: fc.record({ redeem: fc.constant(true) }) },
  { weight: 1, arbitrary: fc.record({ release: fc.constant(true) }) },
  { weight: 4, arbitrary: fc.record({ round: fc.constant(true) }) },
  { weight: 4, arbitrary: fc.record({ succeed: fc.constantFrom(...LETTERS) }) },
  { weight: 2, arbitrary: fc.record({ look: fc.constantFrom(...LETTERS) }) },
  { weight: 1, arbitrary: fc.record({ refresh: fc.constant(true) }) },
);

type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

function oneName(most: number): fc.Arbitrary<string[]> {
  return fc
    .record({
      name: fc.constantFrom('a', 'b', 'c', 'ab', 'ac', 'bc', 'abc'),
      count: fc.integer({ min: 1, max: most }),
    })
    .map(({ name, count }) => Array.from({ length: count }, () => name));
}

/** A handler whose calls go on until it is told, and how much it should have. */
class Held {
  readonly calls: SingleCall[] = [];
  readonly seen: unknown[] = [];
  readonly accepted: unknown[] = [];
  promised = 0;
  over = 0;

  constructor(
    readonly letter: Letter,
    readonly capacity: number,
    readonly overflow: OverflowPolicy = 'reject',
  ) {}

  get pending(): number {
    return this.accepted.length - this.over;
  }

  get room(): number {
    return this.capacity - this.pending - this.promised;
  }

  serve(bench: Bench): void {
    bench.serveAs(
      { deliver: () => {} },
      {
        name: this.letter,
        matches: (name) => name.includes(this.letter),
        consumer: {
          batchSize: 1,
          capacity: this.capacity,
          overflow: this.overflow,
          concurrency: 2,
        },
        handle: ({ payload }, call) => {
          this.seen.push(payload);
          this.calls.push(call);
          return true;
        },
      },
    );
  }

  takes(emissions: readonly Emission[]): Emission[] {
    return emissions.filter(({ name }) => name.includes(this.letter));
  }

  succeed(): void {
    const call = this.calls.shift();
    if (call === undefined) return;
    this.over++;
    call.succeeded();
  }
}

function named(bench: Bench, ...all: string[]): Emission[] {
  return all.map((name) => bench.emission(name));
}

/** Offers a commit; gives the kind of the error it is refused with. */
function offered(bench: Bench, emissions: readonly Emission[]): unknown {
  try {
    return bench.pipeline.offer(emissions);
  } catch (error) {
    return (error as Error).constructor;
  }
}

describe('The room of handlers that take names in common', () => {
  it('is what each has left, whichever names took it, and whoever asks in between or does not', async () => {
    const capacities = fc.tuple(...LETTERS.map(() => fc.integer({ min: 1, max: 20 })));
    await fc.assert(
      fc.asyncProperty(
        capacities,
        fc.array(step, { maxLength: 80, size: 'max' }),
        async (capacity, steps) => {
          using bench = new Bench();
          const handlers = LETTERS.map((letter, i) => new Held(letter, capacity[i]!));
          for (const handler of handlers) handler.serve(bench);
          const places: { place: Place; emissions: Emission[] }[] = [];
          let next = 0;
          const made = (all: string[]): Emission[] =>
            all.map((name) => bench.emission(name, next++));
          const fits = (emissions: Emission[]): boolean =>
            handlers.every((handler) => handler.takes(emissions).length <= handler.room);
          const accept = (emissions: Emission[]): void => {
            for (const handler of handlers)
              handler.accepted.push(...handler.takes(emissions).map(({ payload }) => payload));
          };
          const promise = (emissions: Emission[], sign: 1 | -1): void => {
            for (const handler of handlers)
              handler.promised += sign * handler.takes(emissions).length;
          };

          /** What came of a step, and what should have. */
          const play = async (each: Step): Promise<[unknown, unknown]> => {
            if ('commit' in each) {
              const emissions = made(each.commit);
              const expected = fits(emissions);
              if (expected) accept(emissions);
              return [offered(bench, emissions), expected ? undefined : PipelineFullError];
            }
            if ('reserve' in each) {
              const emissions = made(each.reserve);
              const expected = fits(emissions);
              const place = await bench.pipeline.reserve(emissions).catch(() => undefined);
              if (place !== undefined) places.push({ place, emissions });
              if (expected) promise(emissions, 1);
              return [place !== undefined, expected];
            }
            if ('look' in each) {
              const { letter, pending, over } = handlers[LETTERS.indexOf(each.look)]!;
              const consumer = bench.pipeline.consumers.find(({ name }) => name === letter)!;
              return [
                [consumer.done, consumer.pending],
                [over, pending],
              ];
            }
            if ('round' in each) await nextRound();
            else if ('succeed' in each) handlers[LETTERS.indexOf(each.succeed)]!.succeed();
            else if ('refresh' in each) bench.pipeline.refresh();
            else {
              const kept = places.shift();
              if (kept === undefined) return [undefined, undefined];
              promise(kept.emissions, -1);
              if ('redeem' in each) accept(kept.emissions);
              if ('redeem' in each) kept.place.redeem();
              else kept.place.release();
            }
            return [undefined, undefined];
          };

          for (const each of steps) {
            const [got, expected] = await play(each);
            expect(got).toEqual(expected);
          }

          for (const { place } of places) place.release();
          while (handlers.some(({ pending }) => pending > 0)) {
            for (const handler of handlers) handler.succeed();
            await nextRound();
          }
          for (const { seen, accepted } of handlers) expect(seen).toEqual(accepted);
          for (const { name, pending } of bench.pipeline.consumers)
            expect([name, pending]).toEqual([name, 0]);
        },
      ),
      { numRuns: 500 },
    );
  }, 60_000);

  it('is taken by what had to wait for somebody else, too', async () => {
    using bench = new Bench();
    const held = new Held('a', 4);
    held.serve(bench);
    const matches = (name: string) => name === 'ab';
    const slow = bench.serveAs(new HeldAdapter(), { matches, consumer: { capacity: 1 } });
    await bench.pipeline.offer(named(bench, 'ab'));
    await bench.pipeline.offer(named(bench, 'a'));
    const waiting = bench.pipeline.offer(named(bench, 'ab'));
    await rounds();
    slow.release();
    await waiting;

    expect(offered(bench, named(bench, 'a', 'a'))).toBe(PipelineFullError);
    expect(offered(bench, named(bench, 'a'))).toBe(undefined);
    expect(bench.pending('a')).toBe(4);
    expect(offered(bench, named(bench, 'a'))).toBe(PipelineFullError);
  });

  it('is taken by what had a place before the start, too', async () => {
    using bench = new Bench({}, { started: false });
    new Held('a', 4).serve(bench);
    const place = await bench.pipeline.reserve(named(bench, 'a', 'a'));
    bench.pipeline.start();
    await bench.pipeline.offer(named(bench, 'a'));
    place.redeem();

    expect(offered(bench, named(bench, 'a', 'a'))).toBe(PipelineFullError);
    expect(offered(bench, named(bench, 'a'))).toBe(undefined);
  });

  it('is taken by what had a place at one that sheds, too', async () => {
    using bench = new Bench();
    using log = listen('emissions:consumer:overflowed');
    const held = new Held('a', 3, 'drop-newest');
    held.serve(bench);
    const place = await bench.pipeline.reserve(named(bench, 'a', 'a'));
    await bench.pipeline.offer(named(bench, 'a'));
    place.redeem();
    await bench.pipeline.offer(named(bench, 'a'));

    expect(bench.pending('a')).toBe(3);
    expect(log.all.map(({ message }) => message.count)).toEqual([1]);
  });
});
