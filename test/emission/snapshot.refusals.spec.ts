import { describe, expect, it } from '@jest/globals';
import { EmissionsError, PayloadError } from 'nestjs-emissions';
import { snapshot } from '../../lib/emission/snapshot.js';
import { thrownBy } from '../support/parts.js';

function refusal(value: unknown, root?: string): PayloadError {
  const error = thrownBy(() => snapshot(value, root));
  if (error instanceof PayloadError) return error;
  throw new Error('It was refused with another error.', { cause: error });
}

const callback = (): void => {};
const cycle: Record<string, unknown> = { list: [] };
(cycle['list'] as unknown[]).push({ back: cycle });
const cyclicMap = new Map<string, unknown>();
cyclicMap.set('self', cyclicMap);
const throwing = {
  items: [
    {
      get price(): number {
        throw new RangeError('unknown');
      },
    },
  ],
};
const nested = (levels: number): unknown => {
  let value: unknown = {};
  for (let i = 1; i < levels; i++) value = { a: value };
  return value;
};

describe('A snapshot refuses, with the exact path,', () => {
  it.each([
    ['a function', callback, 'payload', 'it is a function (callback)'],
    [
      'a function in a property',
      { items: [1, 2, { callback }] },
      'payload.items[2].callback',
      'it is a function',
    ],
    [
      'a function under a strange key',
      { 'a b': { 7: callback } },
      'payload["a b"]["7"]',
      'it is a function',
    ],
    ['a class', { type: PayloadError }, 'payload.type', 'it is a function (PayloadError)'],
    [
      'a method that is an own property',
      Object.assign(new (class A {})(), { run: callback }),
      'payload.run',
      'a function',
    ],
    ['a symbol', [Symbol('s')], 'payload[0]', 'it is a symbol (Symbol(s))'],
    ['a boxed symbol', { s: Object(Symbol('s')) as unknown }, 'payload.s', 'it is a symbol'],
    ['a promise', { p: Promise.resolve(1) }, 'payload.p', 'a Promise cannot be copied'],
    ['a WeakMap', { w: new WeakMap() }, 'payload.w', 'a WeakMap cannot be copied'],
    ['a WeakSet', new WeakSet(), 'payload', 'a WeakSet cannot be copied'],
    ['a WeakRef', [new WeakRef({})], 'payload[0]', 'a WeakRef cannot be copied'],
    ['a generator', (function* () {})(), 'payload', 'a Generator cannot be copied'],
    ['an iterator', { i: [1].values() }, 'payload.i', 'a Array Iterator cannot be copied'],
    ['a URL', { link: new URL('http://localhost/') }, 'payload.link', 'a URL cannot be copied'],
    ['shared memory', new SharedArrayBuffer(1), 'payload', 'a SharedArrayBuffer cannot be copied'],
    [
      'an abort signal',
      { s: new AbortController().signal },
      'payload.s',
      'an? AbortSignal cannot|it is',
    ],
    [
      'a function as the value of a map',
      new Map([['on', callback]]),
      "payload.get('on')",
      'it is a function',
    ],
    [
      'a function as the key of a map',
      { m: new Map([[callback, 1]]) },
      'payload.m key callback',
      'it is a function',
    ],
    [
      'a function in a set',
      [new Set([{ callback }])],
      'payload[0] member { callback: [Function: callback] }.callback',
      'it is',
    ],
    [
      'a function in a cause',
      new Error('x', { cause: { callback } }),
      'payload.cause.callback',
      'it is a function',
    ],
    ['a cycle', cycle, 'payload.list[0].back', 'it contains itself (a cycle)'],
    ['a cyclic map', { m: cyclicMap }, "payload.m.get('self')", 'it contains itself'],
    [
      'a getter that throws',
      throwing,
      'payload.items[0].price',
      'reading it throws RangeError: unknown',
    ],
    [
      'a sparse array of length 4,000,000,000',
      { a: Object.assign([], { length: 4e9 }) },
      'payload.a',
      'it is a sparse array of length 4000000000',
    ],
  ])('%s', (_, value, path, reason) => {
    const error = refusal(value);
    expect(error.path).toBe(path);
    expect(error).toBeInstanceOf(EmissionsError);
    expect(error.message).toMatch(
      new RegExp(`cannot be emitted: .*(?:${reason.replace(/[()[\]]/g, '\\$&')})`),
    );
  });

  it('with the name of what it was taken of as the root of the path', () => {
    expect(refusal({ a: callback }, 'metadata').path).toBe('metadata.a');
    expect(refusal(callback, 'context.metadata').path).toBe('context.metadata');
  });

  it('with what a getter threw as the cause', () => {
    expect(refusal(throwing).cause).toEqual(new RangeError('unknown'));
  });
});

describe('A snapshot of something deep or huge', () => {
  it('goes down 500 levels, and refuses one more', () => {
    const deepest = nested(500);
    expect(snapshot(deepest)).toEqual(deepest);
    const error = refusal(nested(501));
    expect(error.message).toContain('it is nested deeper than 500 levels');
    expect(error.path).toBe(`payload${'.a'.repeat(500)}`);
  });

  it('refuses 100,000 levels without running out of stack', () => {
    expect(refusal(nested(100_000)).message).toContain('nested deeper than 500 levels');
  });

  it.each([
    ['arrays', (x: unknown) => [x, x]],
    ['objects', (x: unknown) => ({ a: x, b: x })],
    [
      'maps',
      (x: unknown) =>
        new Map([
          ['a', x],
          ['b', x],
        ]),
    ],
    ['sets of arrays', (x: unknown) => new Set([[x], [x]])],
  ])(
    'refuses 40 levels of doubled %s at once, as whoever writes it out would never end',
    (_, twice) => {
      let laughs: unknown = ['ha'];
      for (let i = 0; i < 40; i++) laughs = twice(laughs);
      const start = performance.now();
      expect(refusal(laughs).message).toContain('more than 2000000 values');
      expect(performance.now() - start).toBeLessThan(2_000);
    },
  );

  it('refuses getters that make ever more', () => {
    class Tree {
      get left(): unknown {
        return forest();
      }
    }
    const forest = (): object =>
      Object.defineProperties(new Tree(), {
        a: { enumerable: true, get: forest },
        b: { enumerable: true, get: forest },
      });
    expect(refusal(forest())).toBeInstanceOf(PayloadError);
  });

  it('takes an array of 1,000,000 numbers', () => {
    const numbers = Array.from({ length: 1_000_000 }, (_, i) => i);
    expect(snapshot({ numbers }).numbers.at(-1)).toBe(999_999);
  });
});
