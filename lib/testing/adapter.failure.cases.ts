import {
  failuresOf,
  numberOf,
  numbered,
  numbersOf,
  RETRY,
  sorted,
  type ContractCase,
  unique,
} from './adapter.case.js';
import type { Arrival } from './served-adapter.js';

/** What an adapter owes when something goes wrong. */
export const FAILURE_CASES: readonly ContractCase[] = [
  {
    name: 'throws when a delivery fails, so that it is tried again and nothing is lost',
    wants: ({ failures }) => failures === true,
    async run({ open, expect }) {
      await using bench = await open({ batchSize: 3, retry: RETRY });
      bench.refuse(() => true, 2);
      const emitted = await bench.commit(numbered(3));
      await bench.settled();
      expect(sorted(unique(await bench.arrived(3)))).toEqual(emitted);
      expect(bench.batches.length > 2).toEqual(true);
    },
  },
  {
    name: 'goes on after a delivery that never succeeds, which is signalled with its error',
    wants: ({ failures }) => failures === true,
    async run({ open, expect }) {
      await using bench = await open({ batchSize: 1, retry: { ...RETRY, attempts: 2 } });
      const name = 'contract.given-up';
      bench.refuse((arrival) => arrival.name === name, Infinity);
      const failures = await failuresOf(name, async () => {
        await bench.commit([{ n: 1 }], { name });
        await bench.settled();
      });
      const [next] = await bench.commit([{ n: 2 }]);
      expect(await bench.arrived(1)).toEqual([next]);
      expect(failures.map(({ count, attempt }) => ({ count, attempt }))).toEqual([
        { count: 1, attempt: 2 },
      ]);
      expect(failures[0]!.error instanceof Error).toEqual(true);
    },
  },
  {
    name: 'names what was refused of a batch, so that only that is tried again',
    wants: ({ partialFailures }) => partialFailures === true,
    async run({ open, expect }) {
      await using bench = await open({ batchSize: 6, retry: RETRY });
      bench.refuse((arrival) => numberOf(arrival) % 2 === 1, 1);
      const emitted = await bench.commit(numbered(6));
      expect(sorted(await bench.arrivedInAll(6))).toEqual(emitted);
      const [first, second] = bench.batches.map((batch) => numbersOf(batch));
      expect([first, second]).toEqual([
        [1, 2, 3, 4, 5, 6],
        [1, 3, 5],
      ]);
    },
  },
  {
    name: 'fails for a payload it cannot encode, and for nothing else in the batch',
    wants: ({ unencodable }) => unencodable !== undefined,
    async run({ open, expect, features }) {
      await using bench = await open({ batchSize: 3 });
      const name = 'contract.unencodable';
      let emitted: Arrival[] = [];
      const failures = await failuresOf(name, async () => {
        const before = await bench.commit([{ n: 1 }]);
        await bench.commit([features.unencodable!()], { name });
        const beside = await bench.commit([{ n: 2 }]);
        await bench.settled();
        emitted = [...before, ...beside, ...(await bench.commit([{ n: 3 }]))];
        await bench.settled();
      });
      expect(sorted(await bench.arrivedInAll(3))).toEqual(emitted);
      expect(bench.batches[0]!.length).toEqual(3);
      expect(failures.map(({ count }) => count)).toEqual([1]);
      expect(failures[0]!.error instanceof Error).toEqual(true);
    },
  },
];
