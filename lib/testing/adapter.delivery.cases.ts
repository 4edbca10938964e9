import {
  always,
  numberOf,
  numbered,
  numbersOf,
  RETRY,
  sorted,
  type ContractCase,
  unique,
  upTo,
} from './adapter.case.js';

/** What an adapter owes when all goes well. */
export const DELIVERY_CASES: readonly ContractCase[] = [
  {
    name: 'delivers each emission once, with its id, name and payload',
    wants: always,
    async run({ open, expect }) {
      await using bench = await open();
      const emitted = await bench.commit(numbered(3));
      expect(sorted(await bench.arrivedInAll(3))).toEqual(emitted);
    },
  },
  {
    name: 'brings a payload over unchanged',
    wants: always,
    async run({ open, expect }) {
      await using bench = await open();
      const payload = {
        text: 'Grüße, 世界 \u{1f30d} "quoted" \\ \n\t',
        long: 'x'.repeat(100_000),
        numbers: [0, -1.5, 1e21, Number.MAX_SAFE_INTEGER],
        nothing: [null, '', [], {}, false],
        nested: { a: { b: { c: [{ d: true }] } } },
      };
      const emitted = await bench.commit([payload]);
      expect(await bench.arrived(1)).toEqual(emitted);
    },
  },
  {
    name: 'delivers batches of every size, all of them',
    wants: always,
    async run({ open, expect }) {
      await using bench = await open({ batchSize: 4 });
      const emitted = [...(await bench.commit(numbered(10))), ...(await bench.commit(numbered(1)))];
      expect(sorted(await bench.arrivedInAll(11))).toEqual(emitted);
      expect(bench.batches.every(({ length }) => length <= 4)).toEqual(true);
      expect(bench.batches.some(({ length }) => length === 4)).toEqual(true);
    },
  },
  {
    name: 'keeps the order in which emissions were committed',
    wants: ({ order }) => order !== false,
    async run({ open, expect }) {
      await using bench = await open({ batchSize: 7 });
      for (let commit = 0; commit < 5; commit++) {
        // oxlint-disable-next-line no-await-in-loop -- one behind another
        await bench.commit(numbered(20, 1 + commit * 20));
      }
      expect(numbersOf(await bench.arrivedInAll(100))).toEqual(upTo(100));
    },
  },
  {
    name: 'keeps the order of each key while several calls run at once',
    wants: ({ concurrency, order }) => concurrency !== false && order !== false,
    async run({ open, expect }) {
      await using bench = await open({ concurrency: 4, batchSize: 3 });
      const keyOf = ({ n }: { n: number }): string => `key ${n % 5}`;
      for (let commit = 0; commit < 6; commit++) {
        // oxlint-disable-next-line no-await-in-loop -- one behind another
        await bench.commit(numbered(10, 1 + commit * 10), { key: keyOf });
      }
      const arrived = numbersOf(await bench.arrivedInAll(60));
      for (let key = 0; key < 5; key++) {
        const expected = upTo(60).filter((n) => n % 5 === key);
        expect(arrived.filter((n) => n % 5 === key)).toEqual(expected);
      }
      expect(bench.overlap > 1 && bench.overlap <= 4).toEqual(true);
    },
  },
  {
    name: 'is called once at a time, and is done with a call when it returns',
    wants: always,
    async run({ open, expect, features }) {
      await using bench = await open({ batchSize: 2, retry: RETRY });
      if (features.failures === true) bench.refuse((arrival) => numberOf(arrival) === 3, 1);
      const early: [delivered: number, arrived: number][] = [];
      bench.beforeCall = async () => {
        const before = new Set(
          bench.batches.slice(0, -1).flatMap((batch) => batch.map(({ id }) => id)),
        );
        const arrived = unique(await bench.received()).length;
        // What failed comes again, and is the one thing that has not arrived.
        const again = bench.batches.at(-1)!.filter(({ id }) => before.has(id)).length;
        if (arrived < before.size - again) early.push([before.size - again, arrived]);
      };
      await Promise.all([1, 3, 5, 7, 9].map((from) => bench.commit(numbered(2, from))));
      const arrived = await bench.arrivedInAll(10);
      expect(numbersOf(unique(arrived)).toSorted((a, b) => a - b)).toEqual(upTo(10));
      expect(bench.batches.length >= 5).toEqual(true);
      expect(bench.overlap).toEqual(1);
      if (features.acknowledges !== false) expect(early).toEqual([]);
    },
  },
  {
    name: 'has delivered everything when nothing is pending any more',
    wants: ({ acknowledges }) => acknowledges !== false,
    async run({ open, expect }) {
      await using bench = await open({ batchSize: 3 });
      const emitted = await bench.commit(numbered(10));
      await bench.settled();
      expect(sorted(await bench.received())).toEqual(emitted);
    },
  },
  {
    name: 'gets what it is interested in, and nothing else',
    wants: ({ filter }) => filter !== undefined,
    async run({ open, expect, features }) {
      await using bench = await open();
      const { takes, refuses } = features.filter!;
      await bench.commit(numbered(2), { name: refuses });
      const emitted = await bench.commit(numbered(2, 3), { name: takes });
      await bench.commit(numbered(1, 5), { name: refuses });
      const [last] = await bench.commit(numbered(1, 6), { name: takes });
      expect(sorted(await bench.arrived(3))).toEqual([...emitted, last]);
      expect(bench.batches.flat().map(({ name }) => name)).toEqual([takes, takes, takes]);
    },
  },
  {
    name: 'delivers what is under way when the application closes, and lets it close',
    wants: always,
    async run({ open, expect }) {
      await using bench = await open({ batchSize: 5 });
      await bench.commit(numbered(1));
      await bench.arrived(1);
      const emitted = await bench.commit(numbered(20, 2));
      await bench.closeApp();
      const calls = bench.batches.length;
      const [, ...arrived] = sorted(await bench.arrived(21));
      expect(arrived).toEqual(emitted);
      expect(bench.batches.length).toEqual(calls);
    },
  },
  {
    name: 'shares nothing with another instance',
    wants: ({ instances }) => instances !== false,
    async run({ open, expect }) {
      await using one = await open();
      await using other = await open();
      const [first, second] = [await one.commit(numbered(2)), await other.commit(numbered(2, 3))];
      expect(sorted(await one.arrivedInAll(2))).toEqual(first);
      expect(sorted(await other.arrivedInAll(2))).toEqual(second);
      await one.closeApp();
      const third = await other.commit(numbered(2, 5));
      const arrived = (await other.arrived(5)).filter(({ payload }) => !isLast(payload));
      expect(sorted(arrived)).toEqual([...second, ...third]);
    },
  },
];

function isLast(payload: unknown): boolean {
  return (payload as { last?: boolean }).last === true;
}
