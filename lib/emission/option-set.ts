import { ConfigurationError } from './emission.errors.js';
import { LONGEST_TIMER_MS } from './longest-timer.js';
import { quote } from './quote.js';

/** What one option takes. `takes` completes the sentence "… takes <takes>, but got …". */
export interface OptionRule<T = unknown> {
  readonly takes: string;
  readonly default?: T;
  check(value: unknown, path: string): boolean | T;
}

/** One options object: every key it knows, said once, with its default. */
export interface OptionSet<T extends object> {
  readonly rules: Readonly<Record<keyof T & string, OptionRule>>;
  /** Fills in the defaults, or throws a {@link ConfigurationError} naming the option, what it got and what it takes. */
  resolve(input: Partial<T> | undefined, path: string): T;
}

type Rules<T> = { readonly [K in keyof Required<T> & string]: OptionRule<NonNullable<T[K]>> };

/** Declares an options object by its rules; unknown keys are refused with the ones there are. */
export function defineOptions<T extends object>(rules: Rules<T>): OptionSet<T> {
  const known = rules as unknown as Record<string, OptionRule>;
  return {
    rules: known as OptionSet<T>['rules'],
    resolve(input, path) {
      if (input !== undefined && !isObject(input)) throw refused(path, 'an object', input);
      const given = (input ?? {}) as Record<string, unknown>;
      for (const key of Object.keys(given)) {
        if (!Object.hasOwn(known, key)) {
          throw new ConfigurationError(
            `${nameOf(path)} has no option "${key}". It has: ${Object.keys(known).sort().join(', ')}.`,
          );
        }
      }
      const resolved: Record<string, unknown> = {};
      for (const [key, rule] of Object.entries(known)) {
        const value = given[key] === undefined ? rule.default : given[key];
        if (value === undefined) continue;
        const at = path === '' ? key : `${path}.${key}`;
        const checked = rule.check(value, at);
        if (checked === false) throw refused(at, rule.takes, value);
        resolved[key] = checked === true ? value : checked;
      }
      return resolved as T;
    },
  };
}

/** A whole number within bounds. */
export function integer(bounds: {
  min: number;
  max?: number;
  default?: number;
}): OptionRule<number> {
  const { min, max = Number.MAX_SAFE_INTEGER } = bounds;
  const upTo = bounds.max === undefined ? `of ${min} or more` : `from ${min} to ${max}`;
  return {
    takes: `a whole number ${upTo}`,
    check: (value) => Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max,
    ...withDefault(bounds.default),
  };
}

/** Milliseconds that a Node timer can count (up to 2^31 − 1, about 24 days). */
export function milliseconds(bounds: { min?: number; default?: number } = {}): OptionRule<number> {
  const { min = 0 } = bounds;
  return {
    takes: `milliseconds, from ${min} to ${LONGEST_TIMER_MS}`,
    check: (value) => typeof value === 'number' && value >= min && value <= LONGEST_TIMER_MS,
    ...withDefault(bounds.default),
  };
}

/** A number within bounds, fractions allowed. */
export function number(bounds: { min: number; max: number; default?: number }): OptionRule<number> {
  return {
    takes: `a number from ${bounds.min} to ${bounds.max}`,
    check: (value) => typeof value === 'number' && value >= bounds.min && value <= bounds.max,
    ...withDefault(bounds.default),
  };
}

/** `true` or `false`. */
export function flag(byDefault?: boolean): OptionRule<boolean> {
  return {
    takes: 'true or false',
    check: (value) => typeof value === 'boolean',
    ...withDefault(byDefault),
  };
}

/** A non-empty string. */
export function text(byDefault?: string): OptionRule<string> {
  return {
    takes: 'a non-empty string',
    check: (value) => typeof value === 'string' && value !== '',
    ...withDefault(byDefault),
  };
}

/** One of a few words. */
export function oneOf<const T extends string>(words: readonly T[], byDefault?: T): OptionRule<T> {
  return {
    takes: words.map((word) => `'${word}'`).join(' or '),
    check: (value) => words.includes(value as T),
    ...withDefault(byDefault),
  };
}

/** A function; what it is called with and must return stands in the option's own type. */
export function callback<T extends (...args: never[]) => unknown>(byDefault?: T): OptionRule<T> {
  return {
    takes: 'a function',
    check: (value) => typeof value === 'function',
    ...withDefault(byDefault),
  };
}

/** An options object within an options object. */
export function nested<T extends object>(set: OptionSet<T>): OptionRule<T> {
  return {
    takes: 'an object',
    check: (value, path) => set.resolve(value as T, path),
    default: {} as T,
  };
}

/** Anything that `accepts` holds to be right. */
export function value<T>(
  takes: string,
  accepts: (value: unknown) => boolean,
  byDefault?: T,
): OptionRule<T> {
  return { takes, check: accepts, ...withDefault(byDefault) };
}

function withDefault<T>(byDefault: T | undefined): { default?: T } {
  return byDefault === undefined ? {} : { default: byDefault };
}

function refused(path: string, takes: string, got: unknown): ConfigurationError {
  return new ConfigurationError(`${nameOf(path)} takes ${takes}, but got ${quote(got)}.`);
}

/** An option is named by its path; the outermost object has none. */
function nameOf(path: string): string {
  return path === '' ? 'EmissionsModule' : path;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
