import { given } from './handed-out.js';

/**
 * A map that is a `Map` (or of the given subclass) in every way but that it cannot be changed, and hands out bytes as copies.
 * Freeze it when it is complete.
 */
export function readonlyMap(
  entries: readonly [unknown, unknown][],
  prototype: object,
): Map<unknown, unknown> {
  const map = new Map(entries);
  return Object.setPrototypeOf(map, guarded(prototype, guardMap)) as Map<unknown, unknown>;
}

/** The same for a `Set`. */
export function readonlySet(members: readonly unknown[], prototype: object): Set<unknown> {
  const set = new Set(members);
  return Object.setPrototypeOf(set, guarded(prototype, guardSet)) as Set<unknown>;
}

/** A date that is a `Date` (or of the given subclass) in every way but that its setters throw. */
export function readonlyDate(source: Date, prototype: object): Date {
  const date = new Date(Date.prototype.getTime.call(source));
  return Object.setPrototypeOf(date, guarded(prototype, guardDate)) as Date;
}

/** What a class's instances get as their prototype: the class's own, with guards in front of it. */
const guards = new WeakMap<object, object>();
const isGuard = new WeakSet<object>();

function guarded(prototype: object, guard: (prototype: never) => object): object {
  // What was emitted is often emitted again: one guard is enough.
  if (isGuard.has(prototype)) return prototype;
  let made = guards.get(prototype);
  if (made === undefined) {
    const methods = guard(prototype as never);
    made = Object.create(prototype, hidden(methods)) as object;
    guards.set(prototype, made);
    isGuard.add(made);
  }
  return made;
}

function guardMap(prototype: Map<unknown, unknown>): object {
  type Self = Map<unknown, unknown>;
  return {
    ...refusing('Map', Map.prototype, READS_MAP),
    get(this: Self, key: unknown) {
      return given(prototype.get.call(this, key));
    },
    *keys(this: Self) {
      for (const key of prototype.keys.call(this)) yield given(key);
    },
    *values(this: Self) {
      for (const value of prototype.values.call(this)) yield given(value);
    },
    *entries(this: Self) {
      for (const [key, value] of prototype.entries.call(this)) yield [given(key), given(value)];
    },
    [Symbol.iterator](this: Self) {
      return this.entries();
    },
    forEach(this: Self, visit: Parameters<Self['forEach']>[0], self?: unknown) {
      for (const [key, value] of this.entries()) visit.call(self, value, key, this);
    },
  };
}

function guardSet(prototype: Set<unknown>): object {
  type Self = Set<unknown>;
  return {
    ...refusing('Set', Set.prototype, READS_SET),
    ...combining(prototype),
    *values(this: Self) {
      for (const member of prototype.values.call(this)) yield given(member);
    },
    *entries(this: Self) {
      for (const member of this.values()) yield [member, member];
    },
    keys(this: Self) {
      return this.values();
    },
    [Symbol.iterator](this: Self) {
      return this.values();
    },
    forEach(this: Self, visit: Parameters<Self['forEach']>[0], self?: unknown) {
      for (const member of this.values()) visit.call(self, member, member, this);
    },
  };
}

function guardDate(): object {
  const setters = Object.getOwnPropertyNames(Date.prototype).filter((name) =>
    name.startsWith('set'),
  );
  return Object.fromEntries(setters.map((name) => [name, refusal('Date')]));
}

const READS_MAP = ['constructor', 'get', 'has', 'size', 'keys', 'values', 'entries', 'forEach'];
const COMBINE_SETS = ['union', 'intersection', 'difference', 'symmetricDifference'];
const COMPARE_SETS = ['isSubsetOf', 'isSupersetOf', 'isDisjointFrom'];
const READS_SET = [...READS_MAP.filter((name) => name !== 'get'), ...COMBINE_SETS, ...COMPARE_SETS];

/** Methods that are not known to only read are refused: those that change it today, and those that may come. */
function refusing(kind: 'Map' | 'Set', prototype: object, reads: readonly string[]): object {
  const changes = Object.getOwnPropertyNames(prototype).filter((name) => !reads.includes(name));
  return Object.fromEntries(changes.map((name) => [name, refusal(kind)]));
}

function refusal(kind: 'Map' | 'Set' | 'Date'): () => never {
  return () => {
    throw new TypeError(
      `A ${kind} of an emission cannot be changed: every receiver shares it. Copy it first: new ${kind}(…).`,
    );
  };
}

/** `union` and its like read the set's members past every method of ours. */
function combining(prototype: Set<unknown>): object {
  const methods = prototype as unknown as Record<string, (other: unknown) => Set<unknown>>;
  const names = COMBINE_SETS.filter((name) => name in prototype);
  return Object.fromEntries(
    names.map((name) => [
      name,
      function (this: Set<unknown>, other: unknown): Set<unknown> {
        return new Set(Array.from(methods[name]!.call(this, other), given));
      },
    ]),
  );
}

/** As the methods of a class are: not enumerable. */
function hidden(methods: object): PropertyDescriptorMap {
  const descriptors = Object.getOwnPropertyDescriptors(methods) as PropertyDescriptorMap;
  for (const key of Reflect.ownKeys(descriptors)) {
    descriptors[key as string]!.enumerable = false;
  }
  return descriptors;
}
