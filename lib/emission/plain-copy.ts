import type { CopyPart, Shape } from './shape.js';
import type { ShapedPlace } from './shaped-place.js';

const { freeze, getOwnPropertySymbols, getPrototypeOf, hasOwn, prototype: PLAIN } = Object;
const ARRAY = Array.prototype;

/** Deeper or larger than this is left to the careful copy, which knows cycles and shared parts. */
const MAX_DEPTH = 100;
const MAX_VALUES = 10_000;

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
    return copy(value, 0) as T | undefined;
  } catch {
    // A getter or a proxy threw: the careful copy tells where.
    return undefined;
  }
}

/** The same of a value at a place that knows shapes, which may then also be an instance of a class: see `shapedPart`. */
export function shapedCopy(
  value: object,
  place: ShapedPlace,
  copyPart: CopyPart<ShapedPlace>,
): object | undefined {
  valuesLeft = MAX_VALUES;
  return shapedPart(value, place, copyPart);
}

/**
 * The same of a part of such a value; its own parts are copied by `copyPart`.
 *
 * @throws what a getter, a proxy or `copyPart` throws
 */
export function shapedPart(
  value: object,
  place: ShapedPlace,
  copyPart: CopyPart<ShapedPlace>,
): object | undefined {
  if (Array.isArray(value)) return copyArray(value, place.depth, place, copyPart);
  const { first } = place;
  return (first && copyAs(first, value, copyPart)) ?? copyAsOther(value, place, copyPart);
}

function copyAsOther(
  value: object,
  place: ShapedPlace,
  copyPart: CopyPart<ShapedPlace>,
): object | undefined {
  if (place.isDeep) return copyObject(value, place.depth);
  const prototype = getPrototypeOf(value) as object | null;
  if (prototype === null) return undefined;
  const shape = place.shapeOf(value, prototype);
  if (shape === undefined) return copyObject(value, place.depth);
  // It would be read for nothing.
  if (shape.keys.length > valuesLeft) return undefined;
  return copyAs(shape, value, copyPart) ?? copyObject(value, place.depth);
}

/** `undefined` when it is not of that shape, or has more fields than may still be copied. */
function copyAs(
  { keys, copy: copyAll, places }: Shape<ShapedPlace>,
  value: object,
  copyPart: CopyPart<ShapedPlace>,
): object | undefined {
  const { length } = keys;
  if (length > valuesLeft) return undefined;
  valuesLeft -= length;
  const copied = copyAll(value, copyPart, places);
  if (copied === undefined) valuesLeft += length;
  return copied;
}

function copy(value: object, depth: number): object | undefined {
  if (depth > MAX_DEPTH) return undefined;
  return Array.isArray(value) ? copyArray(value, depth) : copyObject(value, depth);
}

function copyArray(
  source: readonly unknown[],
  depth: number,
  place?: ShapedPlace,
  copyPart?: CopyPart<ShapedPlace>,
): object | undefined {
  // An array with a constructor of its own could make `slice` return anything. Asked first, it also tells V8 the prototype.
  if ((source.constructor as unknown) !== Array || getPrototypeOf(source) !== ARRAY)
    return undefined;
  if ((valuesLeft -= source.length) < 0) return undefined;
  const target = source.slice();
  for (let i = 0; i < target.length; i++) {
    const part = target[i];
    if (typeof part === 'string' || typeof part === 'number') continue;
    if (typeof part === 'object' && part !== null) {
      if (place !== undefined && !place.isDeep) target[i] = copyPart!(part, place.elements);
      else if ((target[i] = copy(part as object, depth + 1)) === undefined) return undefined;
    } else if (typeof part === 'function' || typeof part === 'symbol') return undefined;
    // It may be a hole.
    else if (part === undefined) target[i] = undefined;
  }
  return freeze(target);
}

function copyObject(source: object, depth: number): object | undefined {
  if (getPrototypeOf(source) !== PLAIN) return undefined;
  const target: Record<string, unknown> = { ...source };
  let values = 0;
  for (const key in target) {
    values++;
    const part = target[key];
    if (typeof part === 'string' || typeof part === 'number') continue;
    if (typeof part === 'object' && part !== null) {
      // Assigning to this one would change the prototype.
      if (key === '__proto__') return undefined;
      // Somebody gave it to all objects: it is no part of this one.
      if (!hasOwn(target, key)) continue;
      if ((target[key] = copy(part as object, depth + 1)) === undefined) return undefined;
    } else if (typeof part === 'function' || typeof part === 'symbol') return undefined;
  }
  if ((valuesLeft -= values) < 0 || getOwnPropertySymbols(target).length > 0) return undefined;
  return freeze(target);
}
