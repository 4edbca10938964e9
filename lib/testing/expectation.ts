import { AssertionError } from 'node:assert';
import { inspect, stripVTControlCharacters } from 'node:util';
import type { EmissionName } from '../emission/catalog.js';
import type { EmissionClass } from '../emission/emission-type.decorator.js';
import type { Emission } from '../emission/emission.js';
import { quote } from '../emission/quote.js';
import type { HandledPayload } from '../handlers/on-emission.decorator.js';
import type { Entry, Captures } from './captures.js';
import { isAsymmetric, matchesPartially, type Partially } from './partial-match.js';

/** What names an emission in a test: its name (or a glob), or its class. */
export type Named = EmissionName | EmissionClass;

/** An emission as `@OnEmission` of the same name or class would get it. */
export type EmissionOf<P> = Emission<HandledPayload<P>>;

/** What is expected of an emission: a part of it. */
export type PartOf<P> = Partially<EmissionOf<P>>;

/** One of several expectations: what names the emission, or that with a part of it. */
export type Expected = Named | readonly [Named, object];

/** An {@link Expected} whose part fits its name. */
export type Checked<E> = E extends readonly [infer P extends Named, unknown]
  ? readonly [P, PartOf<P>]
  : E;

/** The emission an {@link Expected} stands for. */
export type ExpectedEmission<E> = E extends readonly [infer P, unknown]
  ? EmissionOf<P>
  : EmissionOf<E>;

/** An expectation that was not met, as a message for people: what was expected, what came closest, what there was. */
export function unmet(
  captures: Captures,
  name: Named,
  partial: unknown,
  candidates: readonly Entry[],
  waitedMs?: number,
): string {
  const open = candidates.filter(({ isConsumed }) => !isConsumed);
  const expected = waitedMs === undefined ? 'Expected' : `Waited ${waitedMs} ms for`;
  const lines = [`${expected} ${describe(name, partial)} to be emitted, but ${summary(captures)}`];
  const taken = candidates.length - open.length;
  if (taken > 0) {
    const which = open.length === 0 ? 'Each of that name' : 'Of that name, what is not listed';
    lines.push(`${which} (${taken}) is asserted already; every assertion takes one.`);
  }
  const nearest = partial === undefined ? undefined : nearestOf(open, partial);
  if (nearest !== undefined) lines.push('', `The nearest of that name differs:`, nearest);
  const earlier = captures.entries.filter((entry) => !captures.visible.includes(entry));
  if (earlier.length > 0) {
    lines.push('', `Before strict mode, and not looked at:\n${list(earlier)}`);
  }
  return lines.join('\n');
}

/** Names an emission that is expected, and what is expected of it. */
export function describe(name: Named, partial?: unknown): string {
  const what = typeof name === 'string' ? `'${name}'` : name.name;
  return partial === undefined ? what : `${what} with ${shownExpectation(partial)}`;
}

/** One line for each emission. */
export function list(entries: readonly Entry[]): string {
  return entries.map(({ emission }) => `  ${emission.name} ${quote(emission.payload)}`).join('\n');
}

/** What is left, with the lines that emitted it. */
export function unassertedReport(entries: readonly Entry[]): string {
  const each = entries.map(({ emission, line }) => {
    const [first = 'a line that is not on the stack', ...callers] = line?.lines ?? [];
    const from = callers.map((caller) => `\n      called from ${caller}`).join('');
    return `  ${emission.name} ${quote(emission.payload)}\n    emitted at ${first}${from}`;
  });
  const count = entries.length === 1 ? 'One emission was' : `${entries.length} emissions were`;
  return `${count} not asserted (strict mode):\n${each.join('\n')}\nAssert each with recorder.expectEmitted(…).`;
}

function summary(captures: Captures): string {
  if (captures.mode === 'inline') {
    return `inline mode captures nothing: use('default') or use('strict') before it happens.`;
  }
  const open = captures.visible.filter(({ isConsumed }) => !isConsumed);
  return open.length === 0
    ? captures.visible.length === 0
      ? 'nothing was.'
      : 'everything that was is asserted already.'
    : `these were:\n${list(open)}`;
}

/** The smallest difference, as lines with + (emitted) and - (expected). */
function nearestOf(entries: readonly Entry[], partial: unknown): string | undefined {
  const diffs = entries.map(({ emission }) => diff(partial, emission));
  const changes = (text: string): number =>
    text.split('\n').filter((line) => /^[+-]/.test(line)).length;
  return diffs.sort((a, b) => changes(a) - changes(b))[0];
}

function diff(expected: unknown, actual: unknown): string {
  const { message } = new AssertionError({
    actual: likewise(expected, actual),
    expected: readable(expected),
    operator: 'deepStrictEqual',
  });
  // What comes before the first empty line says what + and - mean.
  const [, ...body] = stripVTControlCharacters(message).split('\n\n');
  return `+ emitted - expected\n${body.join('\n\n').trimEnd()}`;
}

/** As much of a value as is expected of it; what matches is shown as it is expected. */
function likewise(expected: unknown, actual: unknown): unknown {
  if (matchesPartially(actual, expected)) return readable(expected);
  if (!isPlain(expected) || typeof actual !== 'object' || actual === null) return actual;
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual)) return actual;
    return actual.map((item: unknown, i) => (i in expected ? likewise(expected[i], item) : item));
  }
  return Object.fromEntries(
    Object.keys(expected)
      .filter((key) => key in actual)
      .map((key) => [key, likewise(expected[key as never], actual[key as never])]),
  );
}

/** Matchers such as `expect.any(String)` as one writes them. */
function readable(expected: unknown): unknown {
  if (isAsymmetric(expected)) return new Written(expected);
  if (Array.isArray(expected)) return expected.map(readable);
  if (!isPlain(expected)) return expected;
  return Object.fromEntries(Object.entries(expected).map(([key, value]) => [key, readable(value)]));
}

class Written {
  readonly #text: string;

  constructor(matcher: object) {
    const { toAsymmetricMatcher } = matcher as { toAsymmetricMatcher?: () => string };
    this.#text = toAsymmetricMatcher?.call(matcher) ?? quote(matcher);
  }

  [inspect.custom](): string {
    return this.#text;
  }
}

function shownExpectation(partial: unknown): string {
  return typeof partial === 'function' ? 'a check' : quote(readable(partial));
}

function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || isAsymmetric(value)) return false;
  const prototype = Object.getPrototypeOf(value) as object | null;
  return Array.isArray(value) || prototype === Object.prototype || prototype === null;
}
