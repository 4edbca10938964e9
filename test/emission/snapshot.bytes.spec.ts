import { describe, expect, it } from '@jest/globals';
import { snapshot } from '../../lib/emission/snapshot.js';

const KINDS = [
  ['Uint8Array', () => Uint8Array.of(1, 2, 3)],
  ['Int16Array', () => Int16Array.of(-1, 2)],
  ['Float64Array', () => Float64Array.of(0.5, -0)],
  ['BigInt64Array', () => BigInt64Array.of(1n, -2n)],
  ['Uint8ClampedArray', () => Uint8ClampedArray.of(255)],
  ['Buffer', () => Buffer.from('bytes')],
  ['an empty Uint8Array', () => new Uint8Array()],
  ['a frozen empty Uint8Array', () => Object.freeze(new Uint8Array())],
  ['ArrayBuffer', () => Uint8Array.of(1, 2, 3).buffer],
  ['a frozen ArrayBuffer', () => Object.freeze(Uint8Array.of(4).buffer)],
  ['DataView', () => new DataView(Uint8Array.of(0, 1, 2, 3).buffer, 1, 2)],
  ['a view on a part', () => Uint8Array.of(0, 1, 2, 3).subarray(1, 3)],
  ['a view on shared memory', () => new Uint8Array(new SharedArrayBuffer(2)).fill(7)],
] as const;

/** Node 22 knows `union`, the types of ES2024 do not. */
type CombinableSet = Set<Uint8Array> & { union?(other: Set<unknown>): Set<Uint8Array> };

type Bytes = ArrayBuffer | ArrayBufferView;
const bytesOf = (bytes: Bytes): Uint8Array =>
  ArrayBuffer.isView(bytes)
    ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    : new Uint8Array(bytes);
const listOf = (bytes: Bytes): number[] => [...bytesOf(bytes)];

/** Each place where bytes can be, with how a receiver gets at them. */
const PLACES: [string, (bytes: Bytes) => unknown, (taken: never) => Bytes][] = [
  ['a property', (b) => ({ b }), (taken: { b: Bytes }) => taken.b],
  ['an array', (b) => [0, b, 1], (taken: Bytes[]) => taken[1]!],
  ['a value of a map', (b) => new Map([['b', b]]), (taken: Map<string, Bytes>) => taken.get('b')!],
  [
    'the values of a map',
    (b) => new Map([['b', b]]),
    (taken: Map<string, Bytes>) => [...taken.values()][0]!,
  ],
  [
    'the entries of a map',
    (b) => new Map([['b', b]]),
    (taken: Map<string, Bytes>) => [...taken][0]![1],
  ],
  ['a key of a map', (b) => new Map([[b, 1]]), (taken: Map<Bytes, 1>) => [...taken.keys()][0]!],
  [
    'the keys of entries',
    (b) => new Map([[b, 1]]),
    (taken: Map<Bytes, 1>) => [...taken.entries()][0]![0],
  ],
  ['forEach of a map', (b) => new Map([['b', b]]), (taken: Map<string, Bytes>) => each(taken)],
  ['a member of a set', (b) => new Set([b]), (taken: Set<Bytes>) => [...taken][0]!],
  ['forEach of a set', (b) => new Set([b]), (taken: Set<Bytes>) => each(taken)],
  [
    'an own __proto__',
    (b) => JSON.parse('{"__proto__":0}', (k, v) => (k === '' ? v : b)),
    (taken) => Object.values(taken)[0] as Bytes,
  ],
  [
    'a class instance',
    (b) => Object.assign(new (class Blob {})(), { b }),
    (taken: { b: Bytes }) => taken.b,
  ],
];

function each(taken: { forEach(visit: (bytes: Bytes) => void): void }): Bytes {
  const seen: Bytes[] = [];
  taken.forEach((bytes) => seen.push(bytes));
  return seen[0]!;
}

describe.each(KINDS)('Bytes in %s', (_, make) => {
  it.each(PLACES)('are handed out as equal copies from %s', (_place, put, get) => {
    const bytes = make() as Bytes;
    const before = listOf(bytes);
    const taken = snapshot(put(bytes)) as never;
    bytesOf(bytes).fill(66);
    const first = get(taken);
    expect(listOf(first)).toEqual(before);
    expect(Object.prototype.toString.call(first)).toBe(Object.prototype.toString.call(bytes));
    expect(Buffer.isBuffer(first)).toBe(Buffer.isBuffer(bytes));
    bytesOf(first).fill(77);
    expect(listOf(get(taken))).toEqual(before);
  });
});

describe('Bytes', () => {
  it('handed out survive a JSON round trip, structuredClone and toEqual like any property', () => {
    const taken = snapshot({ b: Uint8Array.of(1, 2), list: [Buffer.from('a')] });
    expect(taken).toEqual({ b: Uint8Array.of(1, 2), list: [Buffer.from('a')] });
    expect(JSON.stringify(taken)).toBe(
      '{"b":{"0":1,"1":2},"list":[{"type":"Buffer","data":[97]}]}',
    );
    expect(listOf(structuredClone(taken).b)).toEqual([1, 2]);
    expect(Object.keys(taken)).toEqual(['b', 'list']);
  });

  it('that two sets are combined to are copies too', () => {
    const taken = snapshot(new Set([Uint8Array.of(1)])) as CombinableSet;
    const both = taken.union === undefined ? new Set(taken) : taken.union(new Set());
    [...both][0]!.fill(9);
    both.clear();
    expect([...taken]).toEqual([Uint8Array.of(1)]);
  });

  it('in a subclass of Uint8Array keep their class', () => {
    class Hash extends Uint8Array {}
    expect(snapshot({ hash: Hash.of(1, 2) }).hash).toBeInstanceOf(Hash);
  });
});
