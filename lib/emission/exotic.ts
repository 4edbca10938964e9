import { types } from 'node:util';
import { isHandedOut } from './handed-out.js';

/** Errors of the platform, such as an abort or a time-out. */
export function isDomException(value: object): boolean {
  return Symbol.toStringTag in value && value instanceof DOMException;
}

/** Objects whose substance is not in their properties, and cannot be had: a copy would be an empty shell. */
export function isForeign(value: object): boolean {
  return (
    types.isPromise(value) ||
    types.isWeakMap(value) ||
    types.isWeakSet(value) ||
    types.isGeneratorObject(value) ||
    types.isSharedArrayBuffer(value) ||
    (Symbol.toStringTag in value && Object.keys(value).length === 0)
  );
}

/** Whether there is more to an object than its class and its properties. */
export function isExotic(value: object): boolean {
  return (
    types.isDate(value) ||
    types.isMap(value) ||
    types.isSet(value) ||
    types.isRegExp(value) ||
    types.isNativeError(value) ||
    types.isBoxedPrimitive(value) ||
    isHandedOut(value) ||
    isDomException(value) ||
    isForeign(value)
  );
}

/** Whether objects with this prototype may be those of a class that JavaScript or the platform brings: a date, an error, bytes. */
export function isNative(prototype: object): boolean {
  for (
    let each: object | null = prototype;
    each !== null && each !== Object.prototype;
    each = Object.getPrototypeOf(each) as object | null
  ) {
    const { constructor } = each;
    if (
      Object.hasOwn(each, 'constructor') &&
      NATIVE.test(Function.prototype.toString.call(constructor))
    )
      return true;
  }
  return false;
}

const NATIVE = /\{\s*\[native code\]\s*\}\s*$/;
