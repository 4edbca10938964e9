import { given } from './handed-out.js';

function refuse(kind: string): never {
  throw new TypeError(
    `A ${kind} of an emission cannot be changed: every receiver shares it. Copy it first: new ${kind}(…).`,
  );
}

/** A map that is a `Map` in every way but that it cannot be changed. */
export class ReadonlyMap extends Map<unknown, unknown> {
  constructor(entries: readonly [unknown, unknown][]) {
    super();
    for (const [key, value] of entries) super.set(key, value);
    Object.freeze(this);
  }
  override get(key: unknown): unknown {
    return given(super.get(key));
  }
  override *entries(): MapIterator<[unknown, unknown]> {
    for (const [key, value] of super.entries()) yield [key, given(value)];
  }
  override *values(): MapIterator<unknown> {
    for (const value of super.values()) yield given(value);
  }
  override [Symbol.iterator](): MapIterator<[unknown, unknown]> {
    return this.entries();
  }
  override forEach(
    visit: (value: unknown, key: unknown, map: Map<unknown, unknown>) => void,
    self?: unknown,
  ): void {
    for (const [key, value] of this.entries()) visit.call(self, value, key, this);
  }
  override set(): this {
    return refuse('Map');
  }
  override delete(): boolean {
    return refuse('Map');
  }
  override clear(): void {
    refuse('Map');
  }
}

/** A set that is a `Set` in every way but that it cannot be changed. */
export class ReadonlySet extends Set<unknown> {
  constructor(members: readonly unknown[]) {
    super();
    for (const member of members) super.add(member);
    Object.freeze(this);
  }
  override *values(): SetIterator<unknown> {
    for (const member of super.values()) yield given(member);
  }
  override keys(): SetIterator<unknown> {
    return this.values();
  }
  override *entries(): SetIterator<[unknown, unknown]> {
    for (const member of this.values()) yield [member, member];
  }
  override [Symbol.iterator](): SetIterator<unknown> {
    return this.values();
  }
  override forEach(
    visit: (value: unknown, key: unknown, set: Set<unknown>) => void,
    self?: unknown,
  ): void {
    for (const member of this.values()) visit.call(self, member, member, this);
  }
  override add(): this {
    return refuse('Set');
  }
  override delete(): boolean {
    return refuse('Set');
  }
  override clear(): void {
    refuse('Set');
  }
}

const SETTERS = Object.getOwnPropertyNames(Date.prototype).filter((name) => name.startsWith('set'));
const refusingSetters: PropertyDescriptorMap = Object.fromEntries(
  SETTERS.map((name) => [name, { value: () => refuse('Date') }]),
);
const READONLY_DATE = Object.create(Date.prototype, refusingSetters) as Date;

/** A date that is a `Date` in every way but that its setters throw. A subclass of `Date` keeps its class. */
export function readonlyDate(source: Date, prototype: object): Date {
  const date = new Date(Date.prototype.getTime.call(source));
  if (prototype === Date.prototype) Object.setPrototypeOf(date, READONLY_DATE);
  else if (prototype === READONLY_DATE) Object.setPrototypeOf(date, READONLY_DATE);
  else Object.setPrototypeOf(date, Object.create(prototype, refusingSetters) as object);
  return Object.freeze(date);
}

// To every check of an object's type, the guarded ones are what they guard.
for (const [guarded, original] of [
  [ReadonlyMap, Map],
  [ReadonlySet, Set],
] as const) {
  Object.defineProperty(guarded.prototype, 'constructor', { value: original, configurable: true });
}
