import { describe, expect, it } from '@jest/globals';
import { matchesPartially } from '../../lib/testing/partial-match.js';

const fault = (message: string, code: number): Error => Object.assign(new Error(message), { code });

describe('a partial match', () => {
  it.each([
    ['nothing expected', { a: 1 }, undefined],
    ['a part of an object', { a: 1, b: { c: 2, d: 3 } }, { b: { d: 3 } }],
    ['an array item by item', [{ a: 1, b: 2 }, 3], [{ a: 1 }, 3]],
    ['dates by their time', { at: new Date(5) }, { at: new Date(5) }],
    ['maps by what they hold', new Map([[1, 'a']]), new Map([[1, 'a']])],
    ['sets by what they hold', new Set([1, 2]), new Set([2, 1])],
    ['bytes', { data: new Uint8Array([1]) }, { data: new Uint8Array([1]) }],
    ['asymmetric matchers', { id: 'x' }, { id: expect.any(String) }],
    ['a field that is undefined', { a: undefined }, { a: undefined }],
    ['an error by name, message and fields', fault('no', 1), fault('no', 1)],
    ['an error with more fields', fault('no', 1), new Error('no')],
    ['a regular expression', { r: /x/g }, { r: /x/g }],
    ['any object where nothing is said of it', { r: { a: 1 } }, { r: {} }],
  ])('holds for %s', (_, actual, expected) => {
    expect(matchesPartially(actual, expected)).toBe(true);
  });

  it.each([
    ['another value', { a: 1 }, { a: 2 }],
    ['a missing field', { a: 1 }, { b: 1 }],
    ['an array that is longer', [1, 2], [1]],
    ['another date', { at: new Date(5) }, { at: new Date(6) }],
    ['another map', new Map([[1, 'a']]), new Map([[1, 'b']])],
    ['another set', new Set([1]), new Set([2])],
    ['a date where a string is', { at: '1970' }, { at: new Date(0) }],
    ['asymmetric matchers that refuse', { id: 1 }, { id: expect.any(String) }],
    ['a field that should be undefined', { a: 1 }, { a: undefined }],
    ['null', null, { a: 1 }],
    ['another error', new Error('one'), new Error('two')],
    ['an error of another kind', new TypeError('one'), new RangeError('one')],
    ['an error with another field', fault('no', 1), fault('no', 2)],
    ['an object where an error is expected', { message: 'one' }, new Error('one')],
    ['another regular expression', { r: /x/ }, { r: /y/ }],
    ['an array where an object is expected', { r: [1] }, { r: {} }],
  ])('does not hold for %s', (_, actual, expected) => {
    expect(matchesPartially(actual, expected)).toBe(false);
  });
});
