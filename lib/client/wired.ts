/**
 * What a client gets of a value of this type: dates, bigints and bytes are strings, maps and sets arrays, methods are gone, and
 * what has a `toJSON` is what that gives.
 */
export type Wired<T> = 0 extends 1 & T
  ? any
  : T extends { toJSON(...args: any[]): infer J }
    ? Wired<J>
    : T extends bigint | RegExp | ArrayBufferView | ArrayBufferLike
      ? string
      : T extends ReadonlyMap<infer K, infer V>
        ? [Wired<K>, Wired<V>][]
        : T extends ReadonlySet<infer V>
          ? Wired<V>[]
          : T extends readonly unknown[]
            ? { [I in keyof T]: Wired<T[I]> }
            : T extends object
              ? { [P in keyof T as T[P] extends Unwritten ? never : P]: Wired<T[P]> }
              : T;

/** What JSON leaves out. */
type Unwritten = ((...args: any[]) => unknown) | symbol;
