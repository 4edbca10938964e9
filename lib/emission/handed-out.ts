import { types } from 'node:util';

/** Bytes: JavaScript cannot freeze them, so that every reader is handed a copy. */
export type Bytes = ArrayBuffer | ArrayBufferView;

/** Tells whether a value holds bytes of its own (a typed array, a `Buffer`, a `DataView`, an `ArrayBuffer`). */
export function isHandedOut(value: unknown): value is Bytes {
  return ArrayBuffer.isView(value) || types.isArrayBuffer(value);
}

/** A copy of the same type with bytes of its own. */
export function handedOut<T extends Bytes>(bytes: T): T;
export function handedOut(bytes: Bytes): Bytes {
  if (types.isArrayBuffer(bytes)) return bytes.slice(0);
  if (Buffer.isBuffer(bytes)) return Buffer.from(bytes);
  if (types.isTypedArray(bytes)) return bytes.slice();
  const { buffer, byteOffset, byteLength } = bytes;
  return new DataView(buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer);
}

/** Gives a value on as it is, or, when it holds bytes, a copy. */
export function given<T>(value: T): T {
  return isHandedOut(value) ? (handedOut(value) as T) : value;
}
