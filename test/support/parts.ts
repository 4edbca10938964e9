import { types } from 'node:util';

/** Every object within a value, itself included, each once; through maps, sets, and properties that are not enumerable. */
export function partsOf(value: unknown, found: Set<object> = new Set<object>()): Set<object> {
  if (typeof value !== 'object' || value === null || found.has(value)) return found;
  found.add(value);
  if (types.isMap(value) || types.isSet(value)) {
    for (const part of types.isMap(value) ? [...value].flat() : value) partsOf(part, found);
  }
  if (ArrayBuffer.isView(value)) return found;
  for (const key of Object.getOwnPropertyNames(value)) partsOf((value as never)[key], found);
  return found;
}

/** What of a snapshot one receiver could change for another. */
export function changeable(value: unknown): object[] {
  return [...partsOf(value)].filter((part) => !Object.isFrozen(part) && !isHandedOut(part));
}

/** Bytes and regular expressions with a state cannot be frozen: everyone has a copy. */
function isHandedOut(part: object): boolean {
  const stateful = types.isRegExp(part) && (part.global || part.sticky);
  return stateful || ArrayBuffer.isView(part) || types.isAnyArrayBuffer(part);
}

/** What a call throws; `undefined` when it does not. */
export function errorOf(call: () => unknown): unknown {
  try {
    call();
    return undefined;
  } catch (error) {
    return error;
  }
}

/** The error of a call that has to throw. */
export function thrownBy(call: () => unknown): unknown {
  const error = errorOf(call);
  if (error === undefined) throw new Error('Nothing was thrown.');
  return error;
}
