import { beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Emission, OverflowPolicy } from 'nestjs-emissions';
import type { SingleCall } from '../../lib/emission/destination.js';
import type { Consumer } from '../../lib/pipeline/consumer.js';
import type { Place } from '../../lib/pipeline/place.js';
import { HeldAdapter, RecordingAdapter } from '../support/adapters.js';
import { silence } from '../support/logs.js';
import { Bench } from '../support/pipeline.js';
import { rounds } from '../support/until.js';

beforeAll(silence);

/** Two adapters, and a handler that may return at once. */
const LETTERS = ['a', 'b', 'h'] as const;
type Letter = (typeof LETTERS)[number];

/** A commit, or a transaction that room is made for. */
interface Owner {
  readonly names: string[];
  state: 'waiting' | 'held' | 'handed over' | 'taken back' | 'refused';
  place?: Place;
}

const letters = fc.array(fc.subarray([...LETTERS], { minLength: 1 }), {
  minLength: 1,
  maxLength: 3,
});
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ commit: letters }) },
  { weight: 4, arbitrary: fc.record({ accept: letters }) },
  { weight: 3, arbitrary: fc.record({ redeem: fc.nat(8) }) },
  { weight: 2, arbitrary: fc.record({ takeBack: fc.nat(8) }) },
  { weight: 6, arbitrary: fc.record({ release: fc.constantFrom(...LETTERS) }) },
  { weight: 1, arbitrary: fc.record({ remove: fc.constantFrom(...LETTERS) }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;
const consumers = fc.tuple(
  ...LETTERS.map(() =>
    fc.record({
      capacity: fc.integer({ min: 1, max: 5 }),
      overflow: fc.constantFrom<OverflowPolicy>('wait', 'wait', 'reject', 'drop-oldest'),
    }),
  ),
);

describe('Whatever room is made for, and whatever becomes of it', () => {
  it('queues never hold more than they may, what is held is handed over or taken back whole, and all room comes back', async () => {
    const scenario = fc.record({
      options: consumers,
      steps: fc.array(step, { maxLength: 50, size: 'max' }),
      // How many calls of the handler go on; the others return at once.
      goesOn: fc.array(fc.boolean(), { minLength: 1, maxLength: 8 }),
      closes: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(scenario, async ({ options, steps, goesOn, closes }) => {
        using bench = new Bench({ waitTimeoutMs: 60_000 });
        const { pipeline } = bench;
        const adapters = new Map<Letter, HeldAdapter>();
        const calls: SingleCall[] = [];
        const handled: string[] = [];
        for (const [i, name] of LETTERS.entries()) {
          const wants = { interested: (emission: Emission) => emission.name.includes(name) };
          const consumer = { batchSize: name === 'h' ? 1 : 2, ...options[i]! };
          if (name !== 'h') {
            const adapter = Object.assign(new HeldAdapter(), wants);
            adapters.set(name, bench.serve(adapter, { name, ...consumer }));
            continue;
          }
          bench.serveAs(Object.assign(new RecordingAdapter(), wants), {
            ...{ name, consumer },
            handle: (emission, call) => {
              const goes = goesOn[handled.push(emission.name) % goesOn.length]!;
              if (goes) calls.push(call);
              return goes;
            },
          });
        }
        const all = new Map<string, Consumer>(pipeline.consumers.map((each) => [each.name, each]));
        const live = (): readonly Consumer[] => pipeline.consumers;
        const owners: Owner[] = [];
        const held = (): Owner[] => owners.filter(({ state }) => state === 'held');

        const begin = (wanted: Letter[][]): { owner: Owner; emissions: Emission[] } => {
          const names = wanted.map((each, i) => `${each.join('')}.${owners.length}.${i}`);
          const owner: Owner = { names, state: 'waiting' };
          owners.push(owner);
          return { owner, emissions: names.map((name) => bench.emission(name)) };
        };
        const commit = async (wanted: Letter[][]): Promise<void> => {
          const { owner, emissions } = begin(wanted);
          try {
            await pipeline.offer(emissions);
            owner.state = 'handed over';
          } catch {
            owner.state = 'refused';
          }
        };
        const accept = async (wanted: Letter[][]): Promise<void> => {
          const { owner, emissions } = begin(wanted);
          try {
            owner.place = await pipeline.accept(emissions, nowhere);
            owner.state = 'held';
          } catch {
            owner.state = 'refused';
          }
        };
        const end = (owner: Owner | undefined, how: 'redeem' | 'release'): void => {
          if (owner === undefined) return;
          owner.place![how]();
          owner.state = how === 'redeem' ? 'handed over' : 'taken back';
        };
        const letGo = (letter: Letter): void => {
          if (letter === 'h') calls.shift()?.succeeded();
          else adapters.get(letter)!.release();
        };
        const removing: Promise<boolean>[] = [];
        const run = (each: Step): unknown => {
          if ('commit' in each) return commit(each.commit);
          if ('accept' in each) return accept(each.accept);
          if ('redeem' in each) return end(held()[each.redeem], 'redeem');
          if ('takeBack' in each) return end(held()[each.takeBack], 'release');
          if ('release' in each) return letGo(each.release);
          const { remove } = each;
          return removing.push(pipeline.remove(remove === 'h' ? 'handler' : 'adapter', remove));
        };

        for (const each of steps) {
          void run(each);
          await rounds(2);
          for (const consumer of live()) {
            const { capacity, overflow } = consumer.destination.options;
            const promised = held().flatMap(({ names }) => names.filter(wantedBy(consumer.name)));
            const kept = overflow === 'drop-oldest' ? 0 : promised.length;
            expect(consumer.room).toBe(capacity - consumer.pending - kept);
            expect(consumer.room).toBeGreaterThanOrEqual(0);
            expect(consumer.pending).toBeGreaterThanOrEqual(0);
          }
        }
        if (closes) pipeline.close();
        for (const owner of held()) end(owner, owner.names.length % 2 === 0 ? 'redeem' : 'release');
        for (let idle = 0; idle < 3; idle++) {
          if (calls.length > 0 || [...adapters.values()].some(({ running }) => running > 0))
            idle = 0;
          for (const letter of LETTERS) letGo(letter);
          await rounds(2);
          const redeemed = held();
          for (const owner of redeemed) end(owner, 'redeem');
          if (redeemed.length > 0) idle = 0;
        }
        await Promise.all(removing);

        expect(owners.filter(({ state }) => state === 'waiting')).toEqual([]);
        for (const consumer of all.values()) {
          expect(consumer.pending).toBe(0);
          expect(consumer.room).toBe(consumer.destination.options.capacity);
        }
        const delivered = (letter: Letter): string[] =>
          letter === 'h' ? handled : adapters.get(letter)!.names;
        for (const letter of LETTERS) {
          const expected = owners
            .filter(({ state }) => state === 'handed over')
            .flatMap(({ names }) => names.filter(wantedBy(letter)));
          const names = delivered(letter);
          expect(new Set(names).size).toBe(names.length);
          expect(expected).toEqual(expect.arrayContaining(names));
          const isWhole = !closes && live().includes(all.get(letter)!);
          const sheds = options[LETTERS.indexOf(letter)]!.overflow === 'drop-oldest';
          const least = isWhole && !sheds ? expected.length : 0;
          expect(names.length).toBeGreaterThanOrEqual(least);
        }
      }),
      { numRuns: 200 },
    );
  });
});

function wantedBy(consumer: string): (name: string) => boolean {
  return (name) => name.split('.')[0]!.includes(consumer);
}

/** Nothing is stored here. */
const nowhere = { executeSql: () => Promise.reject(new Error('nothing is stored')) };
