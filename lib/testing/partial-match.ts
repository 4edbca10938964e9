import { isDeepStrictEqual, types } from 'node:util';

/** What is expected of a value: as much of it as one cares to say, or an asymmetric matcher (`expect.any(String)`). */
export type Partially<T> = T extends object ? { [K in keyof T]?: Partially<T[K]> } : T | object;

/**
 * Tells whether a value holds all that is expected of it: objects may have more fields, arrays not more items; dates, maps
 * and sets compare by what they hold. Whatever has an `asymmetricMatch` (jest's and vitest's matchers) is asked.
 */
export function matchesPartially(actual: unknown, expected: unknown): boolean {
  if (expected === undefined) return true;
  if (isAsymmetric(expected)) return expected.asymmetricMatch(actual);
  if (types.isDate(expected))
    return types.isDate(actual) && actual.getTime() === expected.getTime();
  if (types.isMap(expected))
    return types.isMap(actual) && isDeepStrictEqual(new Map(actual), new Map(expected));
  if (types.isSet(expected))
    return types.isSet(actual) && isDeepStrictEqual(new Set(actual), new Set(expected));
  if (Array.isArray(expected)) {
    return (
      Array.isArray(actual) &&
      actual.length === expected.length &&
      expected.every((item, i) => matchesExactlyOrPartially(actual[i], item))
    );
  }
  if (typeof expected === 'object' && expected !== null && !ArrayBuffer.isView(expected)) {
    return (
      typeof actual === 'object' &&
      actual !== null &&
      Object.entries(expected).every(([key, value]) =>
        matchesExactlyOrPartially((actual as Record<string, unknown>)[key], value),
      )
    );
  }
  return isDeepStrictEqual(actual, expected);
}

/** Below the top, `undefined` is an expectation like any other. */
function matchesExactlyOrPartially(actual: unknown, expected: unknown): boolean {
  return expected === undefined ? actual === undefined : matchesPartially(actual, expected);
}

/** Whether it is a matcher such as `expect.any(String)`. */
export function isAsymmetric(
  value: unknown,
): value is { asymmetricMatch(actual: unknown): boolean } {
  return (
    typeof value === 'object' &&
    value !== null &&
    'asymmetricMatch' in value &&
    typeof value.asymmetricMatch === 'function'
  );
}
