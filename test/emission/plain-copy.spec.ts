import { describe, expect, it } from '@jest/globals';
import { plainCopy } from '../../lib/emission/plain-copy.js';

const order = {
  id: '1',
  total: 2.5,
  paid: false,
  note: null,
  gone: undefined,
  lines: [{ sku: 'a' }, [1n]],
};
const cyclic: Record<string, unknown> = { a: 1 };
cyclic['self'] = cyclic;
const deep = JSON.parse('['.repeat(102) + ']'.repeat(102)) as object;

describe('the copy of plain values', () => {
  it('is equal, another one, and frozen through and through', () => {
    const copy = plainCopy(order)!;
    expect(copy).toStrictEqual(order);
    expect(copy.lines).not.toBe(order.lines);
    for (const part of [copy, copy.lines, copy.lines[0], copy.lines[1]])
      expect(Object.isFrozen(part)).toBe(true);
  });

  it('reads a getter once and fills holes', () => {
    let read = 0;
    const source = {
      get at() {
        return ++read;
      },
      // oxlint-disable-next-line no-sparse-arrays
      list: [1, , 3],
    };
    expect(plainCopy(source)).toStrictEqual({ at: 1, list: [1, undefined, 3] });
    expect(read).toBe(1);
  });

  it.each<[string, object]>([
    ['a date', { at: new Date() }],
    ['a map', new Map()],
    ['a class instance', { of: new (class Order {})() }],
    ['a subclass of Array', { list: new (class List extends Array {})() }],
    ['no prototype', Object.create(null) as object],
    ['a function', { call: () => 1 }],
    ['a symbol', [Symbol('x')]],
    ['a symbol key', { [Symbol('x')]: {} }],
    ['an own __proto__', JSON.parse('{"__proto__":{"x":1}}') as object],
    ['bytes', [new Uint8Array(1)]],
    ['a cycle', cyclic],
    ['great depth', deep],
    ['great size', Array.from({ length: 10_001 }, () => 1)],
    ['a sparse array', { list: Object.assign([], { length: 4e9 }) }],
    [
      'a getter that throws',
      Object.defineProperty({}, 'x', {
        enumerable: true,
        get: () => {
          throw new Error('no');
        },
      }),
    ],
    [
      'a proxy that throws',
      new Proxy(
        {},
        {
          ownKeys: () => {
            throw new Error('no');
          },
        },
      ),
    ],
  ])('leaves %s to the careful copy', (_, value) => {
    expect(plainCopy(value)).toBeUndefined();
    expect(plainCopy({ nested: [value] })).toBeUndefined();
  });
});
