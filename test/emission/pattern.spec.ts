import { runInNewContext } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { EmissionsError, EmissionType, PatternError, type EmissionPattern } from 'nestjs-emissions';
import { Pattern } from '../../lib/emission/pattern.js';
import { heapInUse } from '../support/heap.js';

@EmissionType('pattern-spec.created')
class Created {}
class Unmarked {}

const takes = (pattern: EmissionPattern, name: string): boolean =>
  new Pattern(pattern).matches(name);

describe('A pattern', () => {
  it('that is a name takes that name alone', () => {
    expect(takes('order.created', 'order.created')).toBe(true);
    expect(takes('order.created', 'order.created.twice')).toBe(false);
    expect(takes('order.created', 'orderXcreated')).toBe(false);
  });

  it('that is a class takes the name the class is marked with', () => {
    expect(takes(Created, 'pattern-spec.created')).toBe(true);
    expect(new Pattern(Created).text).toBe('pattern-spec.created');
  });

  it('that is an array takes what any of them takes', () => {
    const pattern = new Pattern(['a.*', /^b$/, Created, 'exact']);
    const names = ['a.x', 'b', 'pattern-spec.created', 'exact', 'bb', 'a', 'other'];
    expect(names.filter((name) => pattern.matches(name))).toEqual(names.slice(0, 4));
    expect(pattern.text).toBe('a.* | /^b$/ | pattern-spec.created | exact');
  });

  it('knows the names it stands for, and that a wildcard stands for any', () => {
    expect(new Pattern(['a', Created]).names).toEqual(['a', 'pattern-spec.created']);
    expect(new Pattern(['a', 'b.*']).names).toBeUndefined();
    expect(new Pattern(/a/).names).toBeUndefined();
  });
});

describe('A regular expression', () => {
  it.each([
    [/metrics/, 'metrics_received', true],
    [/received/, 'metrics_sum', false],
    [/metrics_sum$/, 'metrics_summed', false],
    [/^x$/, 'x', true],
    [/^x$/, 'xx', false],
    [/a|b/, 'xbx', true],
    [/ORDER/i, 'order', true],
    [/^\p{Lu}/u, 'Ä', true],
    [/./, 'x', true],
  ])('%s is used as given: %s is taken: %s', (pattern, name, taken) => {
    expect(takes(pattern, name)).toBe(taken);
  });

  it.each([/order/g, /order/y, /order/gy, /(?:order)+/g, /(?:order)+/y])(
    '%s answers the same however often it is asked, and is not moved',
    (pattern) => {
      pattern.lastIndex = 3;
      const compiled = new Pattern(pattern);
      const asked = ['order.1', 'order.2', 'order.3', 'order.1'].map((name) =>
        compiled.matches(name),
      );
      expect(asked).toEqual([true, true, true, true]);
      expect(pattern.lastIndex).toBe(3);
      expect(new Pattern(pattern).matches('order.4')).toBe(true);
    },
  );

  it('of another realm is one too', () => {
    const foreign = runInNewContext('/^a/') as RegExp;
    expect([takes(foreign, 'abc'), takes(foreign, 'bc')]).toEqual([true, false]);
  });

  it('that takes too long is told once per name, and then takes that name no more', () => {
    const pattern = new Pattern(/^(a+)+$/);
    const name = `${'a'.repeat(60)}!`;
    expect(() => pattern.matches(name)).toThrow(PatternError);
    expect(pattern.matches(name)).toBe(false);
    expect(pattern.matches(name)).toBe(false);
    expect(pattern.matches('aaa')).toBe(true);
    expect(() => pattern.matches(`a${name}`)).toThrow(
      /^The pattern \/\^\(a\+\)\+\$\/ is refused: matching the name "aaa/,
    );
  });
});

describe('A pattern is refused, with its text,', () => {
  it.each([
    ['nothing', undefined, 'undefined'],
    ['null', null, 'null'],
    ['a number', 7, '7'],
    ['an object', {}, '{}'],
    ['an empty text', '', "''"],
    ['white space', 'a b', "'a b'"],
    ['an empty array', [], 'an empty array matches nothing'],
    ['nested arrays', ['a', ['b']], 'do not nest'],
    ['an array with a hole', ['a', undefined], 'undefined'],
    ['an array with one that is none', ['a', 'b..*'], "'b..*'"],
    [
      'a class that is not marked',
      Unmarked,
      "write @EmissionType('some.name') above class Unmarked",
    ],
    ['a function', () => true, 'the class is not marked'],
    ['a symbol', Symbol('s'), 'Symbol(s)'],
  ])('when it is %s', (_, pattern, shown) => {
    expect(() => new Pattern(pattern as never)).toThrow(PatternError);
    expect(() => new Pattern(pattern as never)).toThrow(shown);
  });

  it('whatever it is: never with another error', () => {
    fc.assert(
      fc.property(fc.anything(), fc.string(), (pattern, name) => {
        try {
          expect(typeof new Pattern(pattern as never).matches(name)).toBe('boolean');
        } catch (error) {
          if (!(error instanceof EmissionsError)) throw error;
        }
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('The answers of a pattern', () => {
  it('are the same when asked again, also past the 10,000 names it remembers', () => {
    const pattern = new Pattern('n.*7');
    const ask = () => Array.from({ length: 25_000 }, (_, i) => pattern.matches(`n.${i}`));
    const first = ask();
    expect(first.filter(Boolean)).toHaveLength(2_500);
    expect(ask()).toEqual(first);
  });

  it('take no more memory for 300,000 names than for 10,000', () => {
    const pattern = new Pattern('n.*');
    const before = heapInUse();
    for (let i = 0; i < 300_000; i++) pattern.matches(`n.${String(i).padEnd(200, 'x')}`);
    expect(heapInUse() - before).toBeLessThan(15_000_000);
    expect(pattern.matches('n.1')).toBe(true);
  });
});
