import type { CopyPart, Shape } from './shape.js';
import type { ShapedPlace } from './shaped-place.js';

const { freeze, getOwnPropertySymbols, getPrototypeOf, hasOwn, prototype: PLAIN } = Object;
const ARRAY = Array.prototype;

/** Deeper or larger than this is left to the careful copy, which knows cycles and shared parts. */
const MAX_DEPTH = 100;
const MAX_VALUES = 10_000;

/** Stands for "not plain", as `undefined` could be a value. */
export const NOT_PLAIN: unique symbol = Symbol('not plain');

let valuesLeft = 0;

/**
 * Copies and freezes what is nothing but plain objects, arrays and primitives, as nearly every payload is; `undefined` when it
 * is anything else, or larger than usual.
 *
 * Why it stands beside the careful copy: spreading an object copies its hidden class in one go, and takes an eighth of the
 * time that copying property by property does (300 bytes of nested JSON: about 0.35 µs against 2.5 µs).
 */
export function plainCopy<T extends object>(value: T): T | undefined {
  valuesLeft = MAX_VALUES;
  try {
    const copied = copy(value, 0);
    return copied === NOT_PLAIN ? undefined : (copied as T);
  } catch {
    // A getter or a proxy threw: the careful copy tells where.
    return undefined;
  }
}

/**
 * The same of a value at a place that knows shapes, which may then also be an instance of a class, and whose parts are copied by
 * `copyPart`.
 *
 * @throws what a getter, a proxy or `copyPart` throws
 */
export function shapedCopy(
  value: object,
  place: ShapedPlace,
  copyPart: CopyPart<ShapedPlace>,
): object | typeof NOT_PLAIN {
  if (place.depth === 0) valuesLeft = MAX_VALUES;
  if (place.isDeep) return copy(value, place.depth);
  if (Array.isArray(value)) return copyArray(value, place.depth, place, copyPart);
  const { first } = place;
  // One with more fields than may still be copied would end it all, whether it is the right one or not.
  if (first !== undefined && first.keys.length <= valuesLeft) {
    const copied = copyAs(first, value, copyPart);
    if (copied !== undefined) return copied;
  }
  const prototype = getPrototypeOf(value) as object | null;
  if (prototype === null) return NOT_PLAIN;
  const shape = place.shapeOf(value, prototype);
  const copied = shape && copyAs(shape, value, copyPart);
  return copied ?? copyObject(value, place.depth);
}

/** `undefined` when it is not of that shape. */
function copyAs(
  { keys, copy: copyAll, places }: Shape<ShapedPlace>,
  value: object,
  copyPart: CopyPart<ShapedPlace>,
): object | typeof NOT_PLAIN | undefined {
  if ((valuesLeft -= keys.length) < 0) return NOT_PLAIN;
  const copied = copyAll(value, copyPart, places);
  if (copied === undefined) valuesLeft += keys.length;
  return copied;
}

function copy(value: object, depth: number): object | typeof NOT_PLAIN {
  if (depth > MAX_DEPTH) return NOT_PLAIN;
  return Array.isArray(value) ? copyArray(value, depth) : copyObject(value, depth);
}

function copyArray(
  source: readonly unknown[],
  depth: number,
  place?: ShapedPlace,
  copyPart?: CopyPart<ShapedPlace>,
): object | typeof NOT_PLAIN {
  // An array with a constructor of its own could make `slice` return anything. Asked first, it also tells V8 the prototype.
  if ((source.constructor as unknown) !== Array || getPrototypeOf(source) !== ARRAY)
    return NOT_PLAIN;
  if ((valuesLeft -= source.length) < 0) return NOT_PLAIN;
  const target = source.slice();
  for (let i = 0; i < target.length; i++) {
    const part = target[i];
    const type = typeof part;
    if (type === 'string' || type === 'number') continue;
    if (type === 'object' && part !== null) {
      if (place !== undefined) target[i] = copyPart!(part, place.elements);
      else if ((target[i] = copy(part as object, depth + 1)) === NOT_PLAIN) return NOT_PLAIN;
    } else if (type === 'function' || type === 'symbol') return NOT_PLAIN;
    // It may be a hole.
    else if (type === 'undefined') target[i] = undefined;
  }
  return freeze(target);
}

function copyObject(source: object, depth: number): object | typeof NOT_PLAIN {
  if (getPrototypeOf(source) !== PLAIN) return NOT_PLAIN;
  const target: Record<string, unknown> = { ...source };
  let values = 0;
  for (const key in target) {
    values++;
    const part = target[key];
    const type = typeof part;
    if (type === 'string' || type === 'number') continue;
    if (type === 'object' && part !== null) {
      // Assigning to this one would change the prototype.
      if (key === '__proto__') return NOT_PLAIN;
      // Somebody gave it to all objects: it is no part of this one.
      if (!hasOwn(target, key)) continue;
      if ((target[key] = copy(part as object, depth + 1)) === NOT_PLAIN) return NOT_PLAIN;
    } else if (type === 'function' || type === 'symbol') return NOT_PLAIN;
  }
  if ((valuesLeft -= values) < 0 || getOwnPropertySymbols(target).length > 0) return NOT_PLAIN;
  return freeze(target);
}
