import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { toJsonValue } from '../../lib/emission/json-value.js';
import { snapshot } from '../../lib/emission/snapshot.js';
import { anything, json } from '../support/payloads.js';

class Point {
  constructor(
    readonly x: number,
    readonly big: bigint,
  ) {}
}
class Money {
  constructor(readonly cents: bigint) {}
  toJSON(): unknown {
    return { cents: this.cents };
  }
}

describe('A JSON value', () => {
  it.each([
    ['a bigint', 12n, '12'],
    [
      'a map',
      new Map<unknown, unknown>([
        ['a', 1n],
        [{ k: 1 }, new Set([2])],
      ]),
      [
        ['a', '1'],
        [{ k: 1 }, [2]],
      ],
    ],
    ['a set', new Set([1n, 'a']), ['1', 'a']],
    ['bytes', Uint8Array.of(1, 2, 255), 'AQL/'],
    ['a buffer', Buffer.from('abc'), 'YWJj'],
    ['a part of bytes', Uint8Array.of(0, 1, 2, 3).subarray(1, 3), 'AQI='],
    ['an array buffer', Uint8Array.of(1).buffer, 'AQ=='],
    ['a data view', new DataView(Uint8Array.of(7).buffer), 'Bw=='],
    ['a date', new Date(0), '1970-01-01T00:00:00.000Z'],
    ['a regular expression', /a+/g, '/a+/g'],
    [
      'an error',
      Object.assign(new TypeError('no'), { code: 5n }),
      { name: 'TypeError', message: 'no', code: '5' },
    ],
    [
      'an error with a cause',
      new Error('a', { cause: new Error('b') }),
      { name: 'Error', message: 'a', cause: { name: 'Error', message: 'b' } },
    ],
    ['a class instance', new Point(1, 2n), { x: 1, big: '2' }],
    ['one that knows how to be written', new Money(5n), { cents: '5' }],
    [
      'nested values',
      { a: [{ b: [1n, { c: new Set([new Map([[1, 2n]])]) }] }] },
      { a: [{ b: ['1', { c: [[[1, '2']]] }] }] },
    ],
    ['an own __proto__', JSON.parse('{"__proto__":{"a":1}}'), JSON.parse('{"__proto__":{"a":1}}')],
  ])('of %s is what JSON can say of it', (_, value, written) => {
    for (const given of [value, snapshot(value)] as unknown[]) {
      expect(JSON.parse(JSON.stringify(toJsonValue(given)))).toEqual(written);
      expect(JSON.parse(JSON.stringify(toJsonValue({ in: [given] })))).toEqual({ in: [written] });
    }
  });

  it('of plain JSON is the very value: nothing is copied that need not be', () => {
    fc.assert(
      fc.property(json, (value) => {
        expect(toJsonValue(value)).toBe(value);
      }),
    );
  });

  it('copies only what leads to a change', () => {
    const same = { deep: [1] };
    const value = { same, other: { n: 1n } };
    const written = toJsonValue(value) as typeof value;
    expect(written.same).toBe(same);
    expect([written.other, value.other]).toEqual([{ n: '1' }, { n: 1n }]);
  });

  it('of anything that can be emitted can be written, and read back the same', () => {
    fc.assert(
      fc.property(anything, (value) => {
        const written = JSON.stringify({ value: toJsonValue(snapshot(value)) });
        expect(JSON.stringify(JSON.parse(written))).toBe(written);
      }),
      { numRuns: 500 },
    );
  });
});
