import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { PatternError } from 'nestjs-emissions';
import { compileGlob } from '../../lib/emission/glob.js';

const matches = (glob: string, name: string): boolean => compileGlob(glob)!(name);

/** What a glob means, said as plainly as possible. */
function reference(glob: readonly string[], name: readonly string[]): boolean {
  const [first, ...rest] = glob;
  if (first === undefined) return name.length === 0;
  if (first === '**') {
    return Array.from({ length: name.length + 1 }, (_, i) => name.slice(i)).some((tail) =>
      reference(rest, tail),
    );
  }
  return name.length > 0 && segment(first, name[0]!) && reference(rest, name.slice(1));
}

function segment(glob: string, text: string): boolean {
  return glob === '*' ? text !== '' : characters(glob, text);
}

function characters(glob: string, text: string): boolean {
  if (glob === '') return text === '';
  if (glob[0] !== '*') return glob[0] === text[0] && characters(glob.slice(1), text.slice(1));
  return Array.from({ length: text.length + 1 }, (_, i) => text.slice(i)).some((tail) =>
    characters(glob.slice(1), tail),
  );
}

describe('A glob', () => {
  it.each([
    ['order.*', 'order.created', true],
    ['order.*', 'order', false],
    ['order.*', 'order.line.added', false],
    ['order.*', 'order.', false],
    ['*', 'order', true],
    ['*', 'order.created', false],
    ['*.created', 'order.created', true],
    ['*.*', 'a.b', true],
    ['order.re*', 'order.refunded', true],
    ['order.re*', 'order.re', true],
    ['order.re*', 'order.paid', false],
    ['order.re*', 'order.refunded.twice', false],
    ['order.*ed', 'order.created', true],
    ['order.c*t*d', 'order.created', true],
    ['**', 'anything', true],
    ['**', 'any.thing.at.all', true],
    ['order.**', 'order', true],
    ['order.**', 'order.line.added', true],
    ['order.**', 'orders', false],
    ['**.failed', 'failed', true],
    ['**.failed', 'a.b.failed', true],
    ['**.failed', 'a.failed.b', false],
    ['a.**.z', 'a.z', true],
    ['a.**.z', 'a.b.c.z', true],
    ['a.**.z', 'a.b.c', false],
    ['a.**.b.**.c', 'a.x.b.y.b.c', true],
    ['a.**.b.*.c', 'a.b.b.x.c', true],
    ['**.*', 'a', true],
    ['*.**.*', 'a', false],
    ['a.?.[b].(c)+*', 'a.?.[b].(c)+d', true],
    ['a.b*', 'aXb', false],
  ])('%s takes %s: %s', (glob, name, taken) => {
    expect(matches(glob, name)).toBe(taken);
  });

  it('takes just what a naive reading of it takes', () => {
    const name = fc.array(fc.constantFrom('', 'a', 'b', 'ab', 'ba', 'aab'), {
      minLength: 1,
      maxLength: 5,
    });
    const glob = fc
      .array(fc.constantFrom('*', '**', 'a', 'b', 'a*', '*b', 'a*b', '*a*', 'b*a*'), {
        minLength: 1,
        maxLength: 5,
      })
      .filter((segments) => segments.join('').includes('*'));
    let taken = 0;
    fc.assert(
      fc.property(glob, name, (g, n) => {
        const expected = reference(g, n);
        if (expected) taken++;
        expect(matches(g.join('.'), n.join('.'))).toBe(expected);
      }),
      { numRuns: 5_000 },
    );
    expect(taken).toBeGreaterThan(100);
  });

  it.each([
    ['*a'.repeat(120) + '*', 'a'.repeat(255) + 'b'],
    ['*a'.repeat(500) + '*', 'a'.repeat(256)],
    ['**.a.'.repeat(60) + '**.b', 'a.'.repeat(127) + 'c'],
    ['**.*a*a*a*a*a*b.'.repeat(20) + '**.c', 'aaaaaaaa.'.repeat(28) + 'x'],
  ])('made to take for ever (%#) is done at once', (glob, name) => {
    const start = performance.now();
    for (let i = 0; i < 20; i++) matches(glob, name);
    expect(performance.now() - start).toBeLessThan(1_000);
  });

  it('without a wildcard is a name, and is not compiled', () => {
    expect(compileGlob('order.created')).toBeUndefined();
  });

  it.each([
    ['', '1 to 1024 characters'],
    ['x'.repeat(1_025), '1 to 1024 characters'],
    ['order *', 'no white space'],
    ['order.*\n', 'no white space'],
    ['order\u0000', 'control characters'],
    ['order..*', 'an empty segment'],
    ['.*', 'an empty segment'],
    ['order.*.', 'an empty segment'],
    ['order.**x', 'stands for whole segments'],
    ['***', 'stands for whole segments'],
  ])('%j is refused, with its text and the reason', (glob, reason) => {
    expect(() => compileGlob(glob)).toThrow(PatternError);
    expect(() => compileGlob(glob)).toThrow(reason);
    expect(() => compileGlob(glob)).toThrow(/^The pattern '/);
  });
});
