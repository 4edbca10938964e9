import { types } from 'node:util';
import { compileGlob } from './glob.js';
import { emissionTypeOf, type EmissionClass } from './emission-type.decorator.js';
import { PatternError } from './emission.errors.js';
import { matchRegExp } from './safe-regexp.js';

/**
 * Which emissions a handler wants: a name, a glob, a regular expression, a class marked with `@EmissionType`, or an array
 * of these (any of them).
 *
 * In globs `*` stands for one dot-separated segment (or a part of one: `order.re*`), `**` for any number of segments, none
 * included. Regular expressions are used as given (`/^order/` anchors itself), from the start of the name also with `g` or `y`.
 */
export type EmissionPattern = SinglePattern | readonly SinglePattern[];

/** A name, a glob, a regular expression, or a class marked with `@EmissionType`. */
export type SinglePattern = string | RegExp | EmissionClass;

/** How many names a pattern remembers its answer for; past that it starts anew. */
const REMEMBERED_NAMES = 10_000;

/** A pattern ready for use: checked and compiled when it is made, asked once per name. */
export class Pattern {
  /** The pattern as one would write it, for lists and messages. */
  readonly text: string;
  /** The names it stands for when it matches these and nothing else; `undefined` when it has a wildcard. */
  readonly names: readonly string[] | undefined;
  readonly #matchers: readonly Matcher[];
  readonly #answers = new Map<string, boolean>();

  /** @throws PatternError when it is no pattern, with its text */
  constructor(pattern: EmissionPattern) {
    this.#matchers = compile(pattern);
    this.text = this.#matchers.map((matcher) => matcher.text).join(' | ');
    const names = this.#matchers.map((matcher) => matcher.name);
    this.names = names.includes(undefined) ? undefined : (names as string[]);
  }

  /** Whether another says the same, in whatever order and however often: a class says its name. */
  equals(other: Pattern): boolean {
    const [mine, theirs] = [idsOf(this.#matchers), idsOf(other.#matchers)];
    return mine.size === theirs.size && [...mine].every((id) => theirs.has(id));
  }

  /**
   * Tells whether the pattern takes emissions of this name.
   *
   * @throws PatternError once per name when a regular expression takes too long; from then on it does not match that name
   */
  matches(name: string): boolean {
    const known = this.#answers.get(name);
    if (known !== undefined) return known;
    if (this.#answers.size >= REMEMBERED_NAMES) this.#answers.clear();
    this.#answers.set(name, false);
    const answer = this.#matchers.some((matcher) => matcher.test(name));
    this.#answers.set(name, answer);
    return answer;
  }
}

interface Matcher {
  readonly text: string;
  /** Where the text alone does not say what it matches. */
  readonly id?: string;
  readonly name?: string;
  test(name: string): boolean;
}

function idsOf(matchers: readonly Matcher[]): Set<string> {
  return new Set(matchers.map(({ id, text }) => id ?? text));
}

function compile(pattern: unknown): Matcher[] {
  if (typeof pattern === 'string') return [compileText(pattern)];
  if (types.isRegExp(pattern)) {
    const regexp = new RegExp(pattern.source, pattern.flags.replaceAll('g', ''));
    const id = `RegExp ${String(regexp)}`;
    return [{ text: String(pattern), id, test: (name) => matchRegExp(regexp, name) }];
  }
  if (Array.isArray(pattern)) {
    if (pattern.length === 0) throw new PatternError(pattern, 'an empty array matches nothing');
    return pattern.flatMap((single: unknown) => {
      if (Array.isArray(single)) throw new PatternError(pattern, 'arrays of patterns do not nest');
      return compile(single);
    });
  }
  if (typeof pattern === 'function') {
    const type = emissionTypeOf(pattern);
    if (type !== undefined) return [compileText(type.name)];
    throw new PatternError(
      pattern,
      `the class is not marked; write @EmissionType('some.name') above class ${pattern.name}`,
    );
  }
  throw new PatternError(
    pattern,
    'it takes a name, a glob, a regular expression, a class marked with @EmissionType, or an array of these',
  );
}

function compileText(text: string): Matcher {
  const test = compileGlob(text);
  return test === undefined ? { text, name: text, test: (name) => name === text } : { text, test };
}
