import { describe, expect, it } from '@jest/globals';
import { ConfigurationError } from 'nestjs-emissions';
import {
  callback,
  defineOptions,
  flag,
  integer,
  milliseconds,
  nested,
  number,
  oneOf,
  text,
  value,
} from '../../lib/emission/option-set.js';

interface Inner {
  size: number;
}
interface Outer {
  count: number;
  waitMs: number;
  share: number;
  on: boolean;
  title?: string;
  mode: 'a' | 'b';
  call?: () => void;
  inner: Inner;
  list: readonly string[];
}

const outer = defineOptions<Outer>({
  count: integer({ min: 1, max: 9, default: 5 }),
  waitMs: milliseconds({ default: 100 }),
  share: number({ min: 0, max: 1, default: 0.5 }),
  on: flag(false),
  title: text(),
  mode: oneOf(['a', 'b'], 'a'),
  call: callback(),
  inner: nested(defineOptions<Inner>({ size: integer({ min: 0, default: 3 }) })),
  list: value<readonly string[]>('an array of texts', Array.isArray, ['x']),
});
const resolve = (options: unknown, path = 'options'): Outer =>
  outer.resolve(options as never, path);

describe('An option set', () => {
  it('fills in the defaults, of nested options too, and leaves out what has none', () => {
    const defaults = {
      count: 5,
      waitMs: 100,
      share: 0.5,
      on: false,
      mode: 'a',
      inner: { size: 3 },
      list: ['x'],
    };
    expect(resolve({})).toStrictEqual(defaults);
    expect(resolve(undefined)).toStrictEqual(defaults);
    expect(
      resolve({ count: undefined, title: undefined, inner: { size: undefined } }),
    ).toStrictEqual(defaults);
  });

  it('keeps what is given', () => {
    const call = (): void => {};
    const given = {
      count: 9,
      waitMs: 0.5,
      share: 1,
      on: true,
      title: 't',
      mode: 'b',
      call,
      inner: { size: 0 },
      list: [],
    };
    expect(resolve(given)).toStrictEqual(given);
  });

  it('does not change what is given', () => {
    const given = Object.freeze({ inner: Object.freeze({}) });
    expect(resolve(given).inner).toEqual({ size: 3 });
  });

  it.each([
    [{ count: 0 }, 'options.count takes a whole number from 1 to 9, but got 0.'],
    [{ count: 10 }, 'options.count takes a whole number from 1 to 9, but got 10.'],
    [{ count: 1.5 }, 'but got 1.5.'],
    [{ count: '3' }, "but got '3'."],
    [{ count: Number.NaN }, 'but got NaN.'],
    [{ count: null }, 'but got null.'],
    [{ waitMs: -1 }, 'options.waitMs takes milliseconds, from 0 to 2147483647, but got -1.'],
    [{ waitMs: 2_147_483_648 }, 'but got 2147483648.'],
    [{ waitMs: Number.POSITIVE_INFINITY }, 'but got Infinity.'],
    [{ waitMs: 5n }, 'but got 5n.'],
    [{ share: 1.01 }, 'options.share takes a number from 0 to 1, but got 1.01.'],
    [{ on: 'true' }, "options.on takes true or false, but got 'true'."],
    [{ title: '' }, "options.title takes a non-empty string, but got ''."],
    [{ mode: 'c' }, "options.mode takes 'a' or 'b', but got 'c'."],
    [{ call: {} }, 'options.call takes a function, but got {}.'],
    [{ list: 'x' }, "options.list takes an array of texts, but got 'x'."],
    [{ inner: 7 }, 'options.inner takes an object, but got 7.'],
    [{ inner: null }, 'options.inner takes an object, but got null.'],
    [{ inner: [] }, 'options.inner takes an object, but got [].'],
    [{ inner: { size: -1 } }, 'options.inner.size takes a whole number of 0 or more, but got -1.'],
    [{ inner: { siez: 1 } }, 'options.inner has no option "siez". It has: size.'],
    [
      { cuont: 1 },
      'options has no option "cuont". It has: call, count, inner, list, mode, on, share, title, waitMs.',
    ],
    [{ ['__proto__']: 1 }, 'options has no option "__proto__".'],
    [{ constructor: 1 }, 'options has no option "constructor".'],
    ['text', "options takes an object, but got 'text'."],
    [null, 'options takes an object, but got null.'],
    [[], 'options takes an object, but got [].'],
  ])('refuses %p, naming the option, what it got and what it takes', (options, message) => {
    expect(() => resolve(options)).toThrow(ConfigurationError);
    expect(() => resolve(options)).toThrow(message);
  });

  it('names the module where the outermost object is wrong, and options without a path before them', () => {
    expect(() => resolve({ cuont: 1 }, '')).toThrow(/^EmissionsModule has no option "cuont"\./);
    expect(() => resolve(7, '')).toThrow(/^EmissionsModule takes an object, but got 7\.$/);
    expect(() => resolve({ inner: { size: '' } }, '')).toThrow(/^inner\.size takes/);
  });

  it('knows its rules by their keys', () => {
    expect(Object.keys(outer.rules)).toEqual([
      'count',
      'waitMs',
      'share',
      'on',
      'title',
      'mode',
      'call',
      'inner',
      'list',
    ]);
  });
});
