import { isDeepStrictEqual, types } from 'node:util';

/** What is expected of a value: as much of it as one cares to say, or an asymmetric matcher (`expect.any(String)`). */
export type Partially<T> = T extends object ? { [K in keyof T]?: Partially<T[K]> } : T | object;

/**
 * Tells whether a value holds all that is expected of it: objects may have more fields, arrays not more items; dates, maps
 * and sets compare by what they hold, errors by name, message and fields, whatever else has no fields as a whole. Whatever has an
 * `asymmetricMatch` (jest's and vitest's matchers) is asked.
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
  if (types.isNativeError(expected)) {
    const isSame =
      types.isNativeError(actual) &&
      actual.name === expected.name &&
      actual.message === expected.message;
    return isSame && hasFieldsOf(actual, expected);
  }
  if (isOfFields(expected)) return isOfFields(actual) && hasFieldsOf(actual, expected);
  return isDeepStrictEqual(actual, expected);
}

/** A plain object, or an instance whose substance is in its fields. */
function isOfFields(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value) || ArrayBuffer.isView(value)) return false;
  const prototype = Object.getPrototypeOf(value) as object | null;
  const isPlain = prototype === Object.prototype || prototype === null;
  return isPlain || Object.keys(value).length > 0;
}

function hasFieldsOf(actual: object, expected: object): boolean {
  return Object.entries(expected).every(([key, value]) =>
    matchesExactlyOrPartially((actual as Record<string, unknown>)[key], value),
  );
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
