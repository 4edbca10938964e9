import { types } from 'node:util';
import type { Emission } from './emission.js';
import { PayloadError } from './emission.errors.js';
import { isDomException, isForeign } from './exotic.js';
import { handedOut, isHandedOut, isUnfrozen, type HandedOut } from './handed-out.js';
import { plainCopy, shapedCopy, shapedPart } from './plain-copy.js';
import { quote } from './quote.js';
import { readonlyDate, readonlyMap, readonlySet } from './readonly-collections.js';
import type { CopyPart } from './shape.js';
import type { ShapedPlace } from './shaped-place.js';

/** Deeper than this, neither JSON nor a person can follow. */
const MAX_DEPTH = 500;
/** Up to here shared parts are copied each time they are met; beyond, once, so that no small input makes a huge copy. */
const VALUES_BEFORE_SHARING = 10_000;
/** Shared parts count each time they are met: whoever writes the copy as JSON writes them as often. */
const MAX_VALUES = 2_000_000;
/** What an error knows about itself in properties that are not enumerable. */
const ERROR_FIELDS = ['name', 'message', 'stack', 'cause', 'errors'];
/** A DOMException (an abort, a time-out) answers these through a prototype that would not know the copy. */
const DOM_EXCEPTION_FIELDS = ['name', 'message', 'code'];

/** Thrown while copying; every level it passes on its way up adds its step, so that a path costs nothing until it is needed. */
class Uncopyable extends Error {
  readonly steps: string[] = [];
}

interface Walk {
  /** How deep the root of the walk lies. */
  depth: number;
  /** The containers between the root and here: meeting one again is a cycle. */
  readonly ancestors: object[];
  /** How many values the copy has so far. */
  values: number;
  copies: Map<object, { readonly copy: unknown; readonly values: number }> | undefined;
}

/**
 * Copies a value and freezes the copy, so that what is delivered is what was emitted, and no receiver changes what another
 * one sees.
 *
 * Plain objects and arrays, class instances (same class, own properties; `#private` ones cannot be seen), dates, maps, sets,
 * errors and regular expressions are copied and frozen; a date's, map's or set's changing methods throw. What cannot be
 * frozen, bytes (typed arrays, buffers) and regular expressions with a state (`g`, `y`), is handed out as a copy to every
 * reader. Symbol keys and non-enumerable properties are left out.
 *
 * @param root what it is, in messages
 * @param place where payloads that are alike are copied, which takes less time once it knows their fields
 * @throws PayloadError naming the path of what cannot be copied: a function, a symbol, a promise, a cycle, a getter that
 * throws, something nested deeper than 500 levels, more than 2 million values
 */
export function snapshot<T>(value: T, root = 'payload', place?: ShapedPlace): T {
  return (quickSnapshot(value, place) as T | undefined) ?? carefulSnapshot(value, root);
}

/**
 * The snapshot of an object that can be copied quickly, as nearly every payload can; it is frozen. `undefined` for whatever else: the
 * careful one copies that, or tells why it cannot be copied.
 */
export function quickSnapshot(value: unknown, place: ShapedPlace | undefined): object | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (place === undefined || place.isGivenUp) return plainCopy(value);
  try {
    return shapedCopy(value, place, copyPart);
  } catch {
    place.failed();
    return undefined;
  } finally {
    partWalk = undefined;
  }
}

/** The snapshot of whatever cannot be copied quickly. @throws PayloadError as `snapshot` does */
export function carefulSnapshot<T>(value: T, root = 'payload'): T {
  if (typeof value !== 'object' || value === null) {
    if (typeof value === 'function' || typeof value === 'symbol') {
      throw new PayloadError(root, describeRefused(value));
    }
    return value;
  }
  try {
    return copy(value, walkFrom(0)) as T;
  } catch (error) {
    const { message, cause, steps } = uncopyable(error);
    throw new PayloadError(root + steps.reverse().join(''), message, { cause });
  }
}

/** Freezes an emission whose payload is a snapshot; one of bytes is handed out, like all bytes. */
export function sealed(emission: Emission): Emission {
  const { payload } = emission;
  if (isUnfrozen(payload)) handOut(emission, 'payload', payload);
  return Object.freeze(emission);
}

function walkFrom(depth: number): Walk {
  return { depth, ancestors: [], values: 0, copies: undefined };
}

/** Bytes, or something that is refused: made once, as making one costs more than a copy. */
const NO_PART = new Error('it cannot be a part of what has a shape');

/** Of all parts of one snapshot that are copied carefully: together they have no more values than others. */
let partWalk: Walk | undefined;

/** A part that is not plain, such as a date, is copied carefully; then the whole of it needs not be. */
const copyPart: CopyPart<ShapedPlace> = (part, place) => {
  if (typeof part === 'object' && part !== null)
    return shapedPart(part, place, copyPart) ?? copyPartCarefully(part, place);
  if (typeof part === 'function' || typeof part === 'symbol') throw NO_PART;
  return part;
};

function copyPartCarefully(part: object, place: ShapedPlace): unknown {
  partWalk ??= walkFrom(0);
  partWalk.depth = place.depth;
  const copied = copy(part, partWalk);
  if (isUnfrozen(copied)) throw NO_PART;
  return copied;
}

function copy(value: object, walk: Walk): unknown {
  if (walk.depth + walk.ancestors.length >= MAX_DEPTH) {
    throw new Uncopyable(`it is nested deeper than ${MAX_DEPTH} levels`);
  }
  if (walk.ancestors.includes(value)) throw new Uncopyable('it contains itself (a cycle)');
  const before = walk.values;
  if (before > VALUES_BEFORE_SHARING) walk.copies ??= new Map();
  const known = walk.copies?.get(value);
  if (known !== undefined) {
    count(known.values, walk);
    return known.copy;
  }
  walk.ancestors.push(value);
  const result = Array.isArray(value) ? copyArray(value, walk) : copyObject(value, walk);
  walk.ancestors.pop();
  walk.copies?.set(value, { copy: result, values: walk.values - before });
  return result;
}

function count(values: number, walk: Walk): void {
  walk.values += values;
  // A proxy may say any length.
  if (values >= 0 && walk.values <= MAX_VALUES) return;
  throw new Uncopyable(`with it there are more than ${MAX_VALUES} values`);
}

function copyArray(source: readonly unknown[], walk: Walk): readonly unknown[] {
  const { length } = source;
  if (length > VALUES_BEFORE_SHARING && Object.keys(source).length < length) {
    throw new Uncopyable(`it is a sparse array of length ${length}`);
  }
  count(length + 1, walk);
  const target: unknown[] = [];
  for (let i = 0; i < length; i++) {
    const value = copyAt(source, i, walk);
    if (isUnfrozen(value)) handOut(target, i, value);
    else target.push(value);
  }
  const prototype = Object.getPrototypeOf(source) as object | null;
  if (prototype !== Array.prototype) {
    Object.setPrototypeOf(target, prototype);
    const fields = Object.keys(source).filter((key) => !Object.hasOwn(target, key));
    copyProperties(source, target, walk, fields);
  }
  return Object.freeze(target);
}

function copyObject(source: object, walk: Walk): unknown {
  const prototype = Object.getPrototypeOf(source) as object | null;
  if (prototype === Object.prototype) return frozen({}, source, walk);
  if (prototype === null) {
    return frozen(Object.create(null) as object, source, walk);
  }
  if (types.isDate(source)) return frozen(readonlyDate(source, prototype), source, walk);
  if (types.isMap(source)) {
    return frozen(readonlyMap(copyEntries(source, walk), prototype), source, walk);
  }
  if (types.isSet(source)) {
    return frozen(readonlySet(copyMembers(source, walk), prototype), source, walk);
  }
  if (isHandedOut(source)) return handedOut(source);
  if (types.isRegExp(source)) return frozen(handedOut(source), source, walk);
  if (types.isNativeError(source) || isDomException(source)) {
    return frozen(copyError(source as Error, prototype, walk), source, walk);
  }
  if (types.isBoxedPrimitive(source)) return unboxed(source);
  if (isForeign(source)) throw new Uncopyable(describeRefused(source));
  // A class instance: its class stays, its own properties are copied.
  return frozen(Object.create(prototype) as object, source, walk);
}

/** Gives a copy of a source what the source has beside its substance, and freezes it. */
function frozen(target: object, source: object, walk: Walk): object {
  return Object.freeze(copyProperties(source, target, walk));
}

function copyProperties(
  source: object,
  target: object,
  walk: Walk,
  keys: readonly string[] = Object.keys(source),
): object {
  count(keys.length + 1, walk);
  for (const key of keys) {
    const value = copyAt(source, key, walk);
    if (isUnfrozen(value)) handOut(target, key, value);
    else if (key in target) {
      // Assigning could meet a setter, or a property that cannot be written; with `__proto__` it would change the prototype.
      Object.defineProperty(target, key, { value, enumerable: true });
    } else (target as Record<string, unknown>)[key] = value;
  }
  return target;
}

/** Bytes are stored behind a getter that hands out a copy to every reader. */
function handOut(target: object, key: string | number, value: HandedOut): void {
  Object.defineProperty(target, key, { enumerable: true, get: () => handedOut(value) });
}

/** Reads and copies one property. */
function copyAt(source: object, key: string | number, walk: Walk): unknown {
  try {
    const value = (source as Record<string | number, unknown>)[key];
    if (typeof value === 'object' && value !== null) return copy(value, walk);
    if (typeof value === 'function' || typeof value === 'symbol') {
      // A number class such as decimal.js keeps its constructor as an own property.
      if (key === 'constructor' && typeof value === 'function' && isClassInstance(source))
        return value;
      throw new Uncopyable(describeRefused(value));
    }
    return value;
  } catch (error) {
    const failure = uncopyable(error);
    failure.steps.push(stepTo(key));
    throw failure;
  }
}

function copyEntries(source: Map<unknown, unknown>, walk: Walk): [unknown, unknown][] {
  const entries: [unknown, unknown][] = [];
  for (const [key, value] of Map.prototype.entries.call(source)) {
    count(2, walk);
    entries.push([copyMember(key, walk, key, 'key'), copyMember(value, walk, key, 'get')]);
  }
  return entries;
}

function copyMembers(source: Set<unknown>, walk: Walk): unknown[] {
  const members: unknown[] = [];
  for (const member of Set.prototype.values.call(source)) {
    count(1, walk);
    members.push(copyMember(member, walk, member, 'member'));
  }
  return members;
}

function copyMember(
  value: unknown,
  walk: Walk,
  key: unknown,
  role: 'key' | 'get' | 'member',
): unknown {
  try {
    if (typeof value === 'object' && value !== null) return copy(value, walk);
    if (typeof value === 'function' || typeof value === 'symbol') {
      throw new Uncopyable(describeRefused(value));
    }
    return value;
  } catch (error) {
    const failure = uncopyable(error);
    failure.steps.push(role === 'get' ? `.get(${quote(key)})` : ` ${role} ${quote(key)}`);
    throw failure;
  }
}

function copyError(source: Error, prototype: object, walk: Walk): Error {
  const target = new Error();
  delete target.stack;
  Object.setPrototypeOf(target, prototype);
  const answered = isDomException(source) ? DOM_EXCEPTION_FIELDS : [];
  const hidden = ERROR_FIELDS.filter(
    (key) => Object.getOwnPropertyDescriptor(source, key)?.enumerable === false,
  );
  for (const key of new Set([...answered, ...hidden])) {
    Object.defineProperty(target, key, { value: copyAt(source, key, walk), configurable: true });
  }
  return target;
}

function unboxed(source: object): unknown {
  if (types.isNumberObject(source)) return Number.prototype.valueOf.call(source);
  if (types.isStringObject(source)) return String.prototype.valueOf.call(source);
  if (types.isBooleanObject(source)) return Boolean.prototype.valueOf.call(source);
  if (types.isBigIntObject(source)) return BigInt.prototype.valueOf.call(source);
  throw new Uncopyable('it is a symbol');
}

function isClassInstance(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as object | null;
  return prototype !== null && prototype !== Object.prototype;
}

function describeRefused(value: unknown): string {
  if (typeof value === 'function') return `it is a function (${quote(value)})`;
  if (typeof value === 'symbol') return `it is a symbol (${String(value)})`;
  return `a ${Object.prototype.toString.call(value).slice(8, -1)} cannot be copied`;
}

/** What a getter, a proxy or a class of the source threw, as a reason to refuse it. */
function uncopyable(error: unknown): Uncopyable {
  return error instanceof Uncopyable
    ? error
    : new Uncopyable(`reading it throws ${quote(error)}`, { cause: error });
}

function stepTo(key: string | number): string {
  if (typeof key === 'number') return `[${key}]`;
  return /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}
