import { types } from 'node:util';

/** What JavaScript cannot freeze: bytes, and regular expressions that remember where they are (`g`, `y`). */
export type HandedOut = ArrayBuffer | ArrayBufferView | RegExp;

/** Tells whether a value cannot be frozen, so that every reader must be given a copy of its own. */
export function isHandedOut(value: unknown): value is HandedOut {
  return ArrayBuffer.isView(value) || types.isArrayBuffer(value) || isStateful(value);
}

/** The same of a part of a snapshot, where everything else is frozen: quicker than asking what it is. */
export function isUnfrozen(part: unknown): part is HandedOut {
  return typeof part === 'object' && part !== null && !Object.isFrozen(part);
}

function isStateful(value: unknown): value is RegExp {
  return types.isRegExp(value) && (value.global || value.sticky);
}

/** A copy of the same type with bytes, or a state, of its own. */
export function handedOut<T extends HandedOut>(value: T): T;
export function handedOut(value: HandedOut): HandedOut {
  if (types.isArrayBuffer(value)) return value.slice(0);
  if (types.isRegExp(value)) {
    const copy = new RegExp(value.source, value.flags);
    return Object.setPrototypeOf(copy, Object.getPrototypeOf(value) as object) as RegExp;
  }
  if (Buffer.isBuffer(value)) return Buffer.from(value);
  if (types.isTypedArray(value)) return value.slice();
  const { buffer, byteOffset, byteLength } = value;
  return new DataView(buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer);
}

/** Gives a part of a snapshot on as it is, or, when it cannot be frozen, a copy. */
export function given<T>(value: T): T {
  return isUnfrozen(value) ? handedOut(value) : value;
}
