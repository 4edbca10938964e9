import { types } from 'node:util';
import { PayloadError } from './emission.errors.js';
import { handedOut, isHandedOut } from './handed-out.js';
import { quote } from './quote.js';
import { readonlyDate, ReadonlyMap, ReadonlySet } from './readonly-collections.js';

/** Deeper than this, neither JSON nor a person can follow. */
const MAX_DEPTH = 500;
/** Up to here shared parts are copied each time they are met; beyond, once, so that no small input makes a huge copy. */
const NODES_BEFORE_SHARING = 10_000;

/** Thrown while copying; every level it passes on its way up adds its step, so that a path costs nothing until it is needed. */
class Uncopyable extends Error {
  readonly steps: string[] = [];
}

interface Walk {
  /** The containers between the root and here: meeting one again is a cycle. */
  readonly ancestors: object[];
  nodes: number;
  copies: Map<object, unknown> | undefined;
}

/**
 * Copies a value and freezes the copy, so that what is delivered is what was emitted, and no receiver changes what another
 * one sees.
 *
 * Plain objects and arrays, class instances (same class, own properties), dates, maps, sets, errors and regular
 * expressions are copied and frozen; a date's, map's or set's changing methods throw. Bytes (typed arrays, buffers) cannot
 * be frozen: every reader gets a copy of its own. Symbol keys and non-enumerable properties are left out.
 *
 * @throws PayloadError naming the path of what cannot be copied: a function, a symbol, a promise, a cycle, a getter that
 * throws, something nested deeper than 500 levels
 */
export function snapshot<T>(value: T, root = 'payload'): T {
  if (typeof value !== 'object' || value === null) {
    if (typeof value === 'function' || typeof value === 'symbol') {
      throw new PayloadError(root, describeRefused(value));
    }
    return value;
  }
  try {
    return copy(value, { ancestors: [], nodes: 0, copies: undefined }) as T;
  } catch (error) {
    if (error instanceof Uncopyable) {
      const path = root + error.steps.reverse().join('');
      throw new PayloadError(path, error.message, { cause: error.cause });
    }
    throw error;
  }
}

function copy(value: object, walk: Walk): unknown {
  if (walk.ancestors.length >= MAX_DEPTH) {
    throw new Uncopyable(`it is nested deeper than ${MAX_DEPTH} levels`);
  }
  if (walk.ancestors.includes(value)) throw new Uncopyable('it contains itself (a cycle)');
  if (++walk.nodes > NODES_BEFORE_SHARING) walk.copies ??= new Map();
  const known = walk.copies?.get(value);
  if (known !== undefined) return known;
  walk.ancestors.push(value);
  const result = Array.isArray(value) ? copyArray(value, walk) : copyObject(value, walk);
  walk.ancestors.pop();
  walk.copies?.set(value, result);
  return result;
}

function copyArray(source: readonly unknown[], walk: Walk): readonly unknown[] {
  const { length } = source;
  if (length > NODES_BEFORE_SHARING && Object.keys(source).length < length) {
    throw new Uncopyable(`it is a sparse array of length ${length}`);
  }
  const target: unknown[] = Array.from({ length });
  for (let i = 0; i < length; i++) put(target, i, copyAt(source, i, walk));
  return Object.freeze(target);
}

function copyObject(source: object, walk: Walk): unknown {
  const prototype = Object.getPrototypeOf(source) as object | null;
  if (prototype === Object.prototype) return Object.freeze(copyProperties(source, {}, walk));
  if (prototype === null) {
    return Object.freeze(copyProperties(source, Object.create(null) as object, walk));
  }
  if (types.isDate(source)) return readonlyDate(source, prototype);
  if (types.isMap(source)) return copyMap(source, walk);
  if (types.isSet(source)) return copySet(source, walk);
  if (isHandedOut(source)) return handedOut(source);
  if (types.isRegExp(source)) return Object.freeze(new RegExp(source.source, source.flags));
  if (types.isNativeError(source)) return copyError(source, prototype, walk);
  if (types.isBoxedPrimitive(source)) return source.valueOf();
  if (isForeign(source)) throw new Uncopyable(describeRefused(source));
  // A class instance: its class stays, its own properties are copied.
  return Object.freeze(copyProperties(source, Object.create(prototype) as object, walk));
}

function copyProperties(source: object, target: object, walk: Walk): object {
  for (const key of Object.keys(source)) {
    // A number class such as decimal.js keeps its constructor as an own property.
    const ownClass = key === 'constructor' && isClassInstance(source);
    const value: unknown = ownClass
      ? (source as { constructor: unknown }).constructor
      : copyAt(source, key, walk);
    put(target, key, value);
  }
  return target;
}

/** Reads and copies one property; a getter is called once, here. */
function copyAt(source: object, key: string | number, walk: Walk): unknown {
  try {
    const value = (source as Record<string | number, unknown>)[key];
    if (typeof value === 'object' && value !== null) return copy(value, walk);
    if (typeof value === 'function' || typeof value === 'symbol') {
      throw new Uncopyable(describeRefused(value));
    }
    return value;
  } catch (error) {
    const failure =
      error instanceof Uncopyable
        ? error
        : new Uncopyable(`reading it throws ${quote(error)}`, { cause: error });
    failure.steps.push(stepTo(key));
    throw failure;
  }
}

/** Stores a copied value; bytes are stored behind a getter that hands out a copy to every reader. */
function put(target: object, key: string | number, value: unknown): void {
  if (typeof value === 'object' && value !== null && isHandedOut(value)) {
    Object.defineProperty(target, key, { enumerable: true, get: () => handedOut(value) });
  } else if (key === '__proto__') {
    // Assigning would change the prototype instead of storing a property.
    Object.defineProperty(target, key, { enumerable: true, value });
  } else {
    (target as Record<string | number, unknown>)[key] = value;
  }
}

function copyMap(source: Map<unknown, unknown>, walk: Walk): Map<unknown, unknown> {
  const entries: [unknown, unknown][] = [];
  for (const [key, value] of Map.prototype.entries.call(source)) {
    entries.push([
      copyEntry(key, ` key ${quote(key)}`, walk),
      copyEntry(value, `.get(${quote(key)})`, walk),
    ]);
  }
  return new ReadonlyMap(entries);
}

function copySet(source: Set<unknown>, walk: Walk): Set<unknown> {
  const members: unknown[] = [];
  for (const member of Set.prototype.values.call(source)) {
    members.push(copyEntry(member, ` member ${quote(member)}`, walk));
  }
  return new ReadonlySet(members);
}

function copyEntry(value: unknown, step: string, walk: Walk): unknown {
  try {
    if (typeof value === 'object' && value !== null) return copy(value, walk);
    if (typeof value === 'function' || typeof value === 'symbol') {
      throw new Uncopyable(describeRefused(value));
    }
    return value;
  } catch (error) {
    if (error instanceof Uncopyable) error.steps.push(step);
    throw error;
  }
}

function copyError(source: Error, prototype: object, walk: Walk): Error {
  const target = new Error(source.message);
  Object.setPrototypeOf(target, prototype);
  for (const key of ['stack', 'cause'] as const) {
    if (!Object.hasOwn(source, key)) continue;
    Object.defineProperty(target, key, { value: copyAt(source, key, walk), configurable: true });
  }
  return Object.freeze(copyProperties(source, target, walk)) as Error;
}

/** Objects whose substance is not in their properties: a copy of their properties would be an empty shell. */
function isForeign(value: object): boolean {
  return (
    types.isPromise(value) ||
    types.isWeakMap(value) ||
    types.isWeakSet(value) ||
    types.isGeneratorObject(value) ||
    types.isSharedArrayBuffer(value) ||
    (Symbol.toStringTag in value && Object.keys(value).length === 0)
  );
}

function isClassInstance(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as object | null;
  return prototype !== null && prototype !== Object.prototype;
}

function describeRefused(value: unknown): string {
  if (typeof value === 'function') {
    return `it is a function (${value.name === '' ? 'anonymous' : value.name})`;
  }
  if (typeof value === 'symbol') return `it is a symbol (${String(value)})`;
  return `a ${Object.prototype.toString.call(value).slice(8, -1)} cannot be copied`;
}

function stepTo(key: string | number): string {
  if (typeof key === 'number') return `[${key}]`;
  return /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}
