import { beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Emission, OverflowPolicy } from 'nestjs-emissions';
import { HeldAdapter } from '../support/adapters.js';
import { silence } from '../support/logs.js';
import { Bench } from '../support/pipeline.js';
import { rounds } from '../support/until.js';

beforeAll(silence);

const LETTERS = ['a', 'b', 'c'] as const;
type Letter = (typeof LETTERS)[number];

interface Commit {
  readonly id: number;
  readonly names: string[];
  state: 'waiting' | 'done' | 'failed';
}

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ commit: fc.array(fc.subarray([...LETTERS]), { maxLength: 4 }) }),
  },
  { weight: 6, arbitrary: fc.record({ release: fc.constantFrom(...LETTERS) }) },
  { weight: 1, arbitrary: fc.record({ fail: fc.constantFrom(...LETTERS) }) },
);
const policy = fc.constantFrom<OverflowPolicy>('wait', 'wait', 'reject');
const consumers = fc.tuple(
  ...LETTERS.map(() =>
    fc.record({
      capacity: fc.integer({ min: 1, max: 6 }),
      batchSize: fc.integer({ min: 1, max: 3 }),
      overflow: policy,
    }),
  ),
);

describe('Whatever is committed, and whenever consumers get on', () => {
  it('each commit is handed over whole or not at all, no queue exceeds its capacity, and nobody waits who need not', async () => {
    await fc.assert(
      fc.asyncProperty(
        consumers,
        fc.array(step, { maxLength: 60, size: 'max' }),
        async (options, steps) => {
          using bench = new Bench({ waitTimeoutMs: 60_000 });
          const adapters = new Map<Letter, HeldAdapter>();
          for (const [i, letter] of LETTERS.entries()) {
            const wants = { interested: ({ name }: Emission) => name.includes(letter) };
            const adapter = Object.assign(new HeldAdapter(), wants);
            adapters.set(letter, bench.serve(adapter, { name: letter, ...options[i]! }));
          }
          const commits: Commit[] = [];
          /** How many of a commit's emissions a consumer wants. */
          const wanted = ({ names }: Commit, letter: Letter) =>
            names.filter((name) => name.includes(letter)).length;
          const room = (letter: Letter) =>
            options[LETTERS.indexOf(letter)]!.capacity - bench.pending(letter);

          const offer = async (letters: Letter[][]) => {
            const id = commits.length;
            const names = letters.map((each, i) => `${each.join('')}.${id}.${i}`);
            const commit: Commit = { id, names, state: 'waiting' };
            commits.push(commit);
            const handOver = async () =>
              bench.pipeline.offer(names.map((name) => bench.emission(name)));
            await handOver().then(
              () => (commit.state = 'done'),
              () => (commit.state = 'failed'),
            );
          };

          for (const each of steps) {
            if ('commit' in each) void offer(each.commit);
            else if ('release' in each) adapters.get(each.release)!.release();
            else adapters.get(each.fail)!.fail(new Error('given up'));
            await rounds(2);

            for (const letter of LETTERS) expect(room(letter)).toBeGreaterThanOrEqual(0);
            const first = commits.find(({ state }) => state === 'waiting');
            const fits = (letter: Letter) => wanted(first!, letter) <= room(letter);
            expect(first === undefined || !LETTERS.every(fits)).toBe(true);
          }
          while ([...adapters.values()].some(({ running }) => running > 0)) {
            for (const adapter of adapters.values()) adapter.release();
            await rounds(2);
          }

          expect(commits.filter(({ state }) => state === 'waiting')).toEqual([]);
          for (const [letter, { names }] of adapters) {
            const done = commits.filter(({ state }) => state === 'done');
            const expected = done
              .flatMap((commit) => commit.names)
              .filter((name) => name.includes(letter));
            expect(names.toSorted()).toEqual(expected.toSorted());
            expect(contiguous(names.map((name) => name.split('.')[1]!))).toBe(true);
          }
          for (const alone of LETTERS) {
            const own = commits.filter(
              ({ names }) =>
                names.length > 0 && names.every((name) => name.startsWith(`${alone}.`)),
            );
            const ids = new Set(own.map(({ id }) => `${id}`));
            const order = adapters.get(alone)!.names.map((name) => name.split('.')[1]!);
            const seen = [...new Set(order.filter((id) => ids.has(id)))];
            expect(seen).toEqual(seen.toSorted((x, y) => Number(x) - Number(y)));
          }
        },
      ),
      { numRuns: 150 },
    );
  });
});

/** Whether what is equal stands together. */
function contiguous(values: string[]): boolean {
  const runs = values.filter((value, i) => value !== values[i - 1]);
  return new Set(runs).size === runs.length;
}
