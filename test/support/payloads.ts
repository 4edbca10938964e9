import * as fc from 'fast-check';

/** Data of every kind that can be emitted, nested. */
export const anything: fc.Arbitrary<unknown> = fc.anything({
  values: [
    ...[fc.boolean(), fc.integer(), fc.double(), fc.string(), fc.bigInt()],
    ...[fc.constant(null), fc.constant(undefined)],
    // To jest, no invalid date equals another one.
    fc.date({ noInvalidDate: true }),
  ],
  withMap: true,
  withSet: true,
  withNullPrototype: true,
  withObjectString: true,
  withTypedArray: true,
  withSparseArray: true,
  maxDepth: 4,
});

/** Plain JSON, as it arrives: without -0. */
export const json: fc.Arbitrary<unknown> = fc
  .jsonValue({ maxDepth: 4 })
  .map((value) => JSON.parse(JSON.stringify(value)) as unknown);

const boom = (): never => {
  throw new Error('boom');
};
const cycle = (): unknown => {
  const list: unknown[] = [];
  list.push({ list });
  return list;
};

/** What cannot be emitted, or only by the skin of its teeth; made anew for every run. */
const culprits: fc.Arbitrary<unknown> = fc
  .constantFrom<(() => unknown)[]>(
    () => () => 1,
    () => Symbol('s'),
    () => Promise.resolve(),
    () => new WeakMap(),
    () => new URL('http://localhost/'),
    () => (function* () {})(),
    () => ({
      get trap() {
        return boom();
      },
    }),
    () => new Proxy({}, { ownKeys: boom }),
    () => new Proxy([], { get: boom }),
    () => new Proxy({ a: 1 }, { getPrototypeOf: boom }),
    () => Object.defineProperty(new Error('x'), 'message', { get: boom }),
    () => Object.assign([], { length: 4e9 }),
    () =>
      JSON.parse(
        '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}',
      ) as unknown,
    () => 'x'.repeat(10_000_000),
    () => new Error('an error', { cause: { n: 1 } }),
    () => /stateful/g,
    cycle,
  )
  .map((make) => make());

/** Data with culprits in some of its places. */
export const hostile: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    { arbitrary: fc.anything({ maxDepth: 1, withBoxedValues: true }), weight: 6 },
    { arbitrary: culprits, weight: 1 },
    { arbitrary: fc.array(tie('value'), { maxLength: 3 }), weight: 2 },
    { arbitrary: fc.dictionary(fc.string(), tie('value'), { maxKeys: 3 }), weight: 3 },
    {
      arbitrary: fc
        .array(fc.tuple(tie('value'), tie('value')), { maxLength: 2 })
        .map((e) => new Map(e)),
      weight: 1,
    },
    {
      arbitrary: fc.array(tie('value'), { maxLength: 2 }).map((members) => new Set(members)),
      weight: 1,
    },
  ),
})).value;

/** Changes everything in a value that can be changed. */
export function mutate(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  if (value instanceof Date) value.setTime(value.getTime() + 1);
  if (ArrayBuffer.isView(value)) {
    new Uint8Array(value.buffer).forEach((byte, i, bytes) => (bytes[i] = byte ^ 255));
    return;
  }
  if (value instanceof Map) {
    for (const [key, item] of [...value]) {
      mutate(key);
      mutate(item);
    }
    value.clear();
    value.set('mutated', true);
  }
  if (value instanceof Set) {
    for (const member of [...value]) mutate(member);
    value.clear();
    value.add('mutated');
  }
  for (const key of Object.keys(value)) {
    mutate((value as Record<string, unknown>)[key]);
    Object.defineProperty(value, key, { value: 'mutated' });
  }
  Object.defineProperty(value, 'mutated', { value: true, enumerable: true, configurable: true });
}
