import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { PatternError } from 'nestjs-emissions';
import { matchRegExp } from '../../lib/emission/safe-regexp.js';
import { errorOf } from '../support/parts.js';

const times = (n: number, text: string): string => text.repeat(n);

/** Expressions with a name each that plain matching would not be done with in anybody's lifetime, or for seconds. */
const HOSTILE: [RegExp, string][] = [
  [/^(a+)+$/, `${times(200, 'a')}!`],
  [/(a|a)*$/, `${times(200, 'a')}!`],
  [/(.*)*x/, times(256, 'a')],
  [/(?:.*)*x/, times(256, 'a')],
  [/^(?:a|aa)+$/, `${times(200, 'a')}!`],
  [/^(\w+\s?)*$/, `${times(200, 'a')}!`],
  [/^(a?){100}a{100}$/, times(99, 'a')],
  [new RegExp(`^${times(40, 'a?')}${times(40, 'a')}$`), times(39, 'a')],
  [new RegExp(`^${times(60, '(a|aa)')}$`), `${times(90, 'a')}!`],
  [new RegExp(`^${times(60, '(?:a|a)')}$`), `${times(60, 'a')}!`],
  [new RegExp(`^${times(6, '(?:a*|b)')}$`), `${times(256, 'a')}!`],
  [new RegExp(`^${times(7, 'a*')}$`), `${times(256, 'a')}!`],
  [new RegExp(`${times(7, String.raw`\w+?`)}!`), times(256, 'a')],
  [new RegExp(`^${times(60, String.raw`\(?`)}${times(60, String.raw`\(`)}$`), times(59, '(')],
  [/^(?<x>a+)+\k<x>b/, times(200, 'a')],
  [/^(a*)*\1b/, times(200, 'a')],
  [/(?=(a+)+$)b/, `${times(200, 'a')}!`],
  [/^([a-z]+)+\.([a-z]+)+$/u, times(200, 'a')],
];

describe('A regular expression that would take for ever', () => {
  it.each(HOSTILE)('(%#) ends soon: with an error that names it, or an answer', (regexp, name) => {
    const start = performance.now();
    const answers: unknown[] = [];
    const error = errorOf(() => answers.push(matchRegExp(regexp, name)));
    expect(answers).toEqual(error === undefined ? [false] : []);
    expect(String(error)).toMatch(/^undefined$|^PatternError: .*catastrophic backtracking/);
    expect(performance.now() - start).toBeLessThan(1_500);
  });

  it('is stopped: an error is what most of these end with', () => {
    const stopped = HOSTILE.slice(0, 4).filter(
      ([regexp, name]) => errorOf(() => matchRegExp(regexp, name)) instanceof PatternError,
    );
    expect(stopped).toHaveLength(4);
  });
});

describe('An honest regular expression', () => {
  const HONEST = [
    /^order\./,
    /^(?:order|user|invoice)\.(?:created|updated|deleted)$/,
    /^[a-z]+(?:\.[a-z]+)*$/,
    /^(\w+)\.\1$/,
    /^(?!internal\.).+$/,
    /(?:^|\.)failed$/,
    /^.{1,10}\..{1,10}\..{1,10}$/,
    /a|b|c|d|e|f|g|h|i|j|k|l|m|n|o|p|q|r|s|t|u|v|w|x|y|z/,
    /created$/i,
  ];

  it.each(HONEST)('%s answers as it would by itself', (regexp) => {
    const part = fc.constantFrom('order', 'user', 'created', 'failed', 'internal', 'X', '1', '');
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), (parts) => {
        const name = parts.join('.');
        expect(matchRegExp(regexp, name)).toBe(new RegExp(regexp.source, regexp.flags).test(name));
      }),
    );
  });

  it('answers anew for every name, wherever the one before had ended', () => {
    const sticky = /(?:ab)+/y;
    expect(['abab', 'ab', 'xab', 'ab'].map((name) => matchRegExp(sticky, name))).toEqual([
      true,
      true,
      false,
      true,
    ]);
  });
});
