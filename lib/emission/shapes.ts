import { isExotic, isNative } from './exotic.js';
import { isHandedOut } from './handed-out.js';
import type { ShapeBudget } from './shape.budget.js';

const { freeze, keys: keysOf, prototype: PLAIN } = Object;

/** How many shapes the values at one place may have before they are copied without, and how many may be on their way to one. */
const SHAPES_A_PLACE = 8;
/** How often the same fields have to be met before it pays to write a function for them. */
const MET_BEFORE = 8;
/** When fields that cannot have a shape, as one holds bytes, are asked again: there may be none the next time. */
const ASKED_AGAIN_AFTER = 1_000;
/** How often a copy by shapes may fail at a place before it is given up there. */
const FAILURES = 8;
/** Objects with more fields than this, or deeper than this, are copied without. */
const MAX_FIELDS = 64;
const MAX_DEPTH = 8;

/** Copies a part of a value, which is at a place within it. @throws when it cannot be a part of a shape */
export type CopyPart = (part: unknown, place: ShapedPlace) => unknown;

/** The class that objects are of, their fields in their order, and the function that copies and freezes what has just these. */
export interface Shape {
  readonly prototype: object;
  readonly keys: readonly string[];
  /** The places of its parts, one a field. */
  readonly places: readonly ShapedPlace[];
  readonly copy: (source: object, copyPart: CopyPart, places: readonly ShapedPlace[]) => object;
}

/**
 * A place in payloads that are alike, such as `lines[…].price` in those of one emission name, and the shapes that values there
 * have had.
 *
 * Why: a copy that is written for the fields of an object reads and writes them without looking anything up, sees no symbols that it
 * would have to leave out, and takes two thirds of the time of one that works for all of them (half a microsecond less for 300 bytes
 * that are instances of a class). As in `fast-json-stringify`, whose idea it is, the code is generated: each shape needs a function of
 * its own, as a common one is slowed down by seeing them all.
 */
export class ShapedPlace {
  readonly depth: number;
  readonly #budget: ShapeBudget;
  readonly #shapes: Shape[] = [];
  #elements: ShapedPlace | undefined;
  readonly #candidates: Candidate[] = [];
  #failures = 0;

  constructor(budget: ShapeBudget, depth = 0) {
    this.depth = depth;
    this.#budget = budget;
  }

  /** Whether what is here is copied without shapes: it may contain itself. */
  get isDeep(): boolean {
    return this.depth > MAX_DEPTH;
  }

  /** Where the elements of an array are, which stands here. */
  get elements(): ShapedPlace {
    return (this.#elements ??= new ShapedPlace(this.#budget, this.depth + 1));
  }

  /** The shape of an object with that prototype, when it is known here; else it may be the next time. */
  shapeOf(source: object, prototype: object): Shape | undefined {
    const shapes = this.#shapes;
    let keys: readonly string[] | undefined;
    for (let i = 0; i < shapes.length; i++) {
      const shape = shapes[i]!;
      if (shape.prototype !== prototype) continue;
      keys ??= keysOf(source);
      if (areSame(shape.keys, keys)) return shape;
    }
    if (shapes.length < SHAPES_A_PLACE) this.#meet(source, prototype, keys);
    return undefined;
  }

  /** A copy by shapes has failed here, and was made without; when that goes on, there are none any more. */
  failed(): void {
    if (++this.#failures === FAILURES) this.#shapes.length = 0;
  }

  #meet(source: object, prototype: object, known: readonly string[] | undefined): void {
    // Each byte would be a key.
    if (this.#failures >= FAILURES || this.#budget.isSpent || ArrayBuffer.isView(source)) return;
    const keys = known ?? keysOf(source);
    if (keys.length > MAX_FIELDS || ++this.#candidateFor(keys).met < MET_BEFORE) return;
    const copy = canBeShaped(source, prototype, keys) ? copyFor(prototype, keys) : undefined;
    if (copy === undefined) {
      this.#candidateFor(keys).met = -ASKED_AGAIN_AFTER;
      return;
    }
    this.#budget.spend();
    const places = keys.map(() => new ShapedPlace(this.#budget, this.depth + 1));
    this.#shapes.push({ prototype, keys, places, copy });
  }

  /** Who stands for such fields; those that are met least make room for others. */
  #candidateFor(keys: readonly string[]): Candidate {
    const { length } = keys;
    const first = keys[0];
    const last = keys[length - 1];
    const known = this.#candidates.find(
      (each) => each.length === length && each.first === first && each.last === last,
    );
    if (known !== undefined) return known;
    const candidate = { length, first, last, met: 0 };
    if (this.#candidates.length === SHAPES_A_PLACE) {
      const least = this.#candidates.reduce((a, b) => (b.met < a.met ? b : a));
      this.#candidates.splice(this.#candidates.indexOf(least), 1);
    }
    this.#candidates.push(candidate);
    return candidate;
  }
}

/** Fields that may get a shape: enough of them to tell them from others, as all would be too much to keep. */
interface Candidate {
  readonly length: number;
  readonly first: string | undefined;
  readonly last: string | undefined;
  met: number;
}

function areSame(a: readonly string[], b: readonly string[]): boolean {
  const { length } = a;
  if (length !== b.length) return false;
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function canBeShaped(source: object, prototype: object, keys: readonly string[]): boolean {
  // In a literal it would be the prototype.
  if (keys.includes('__proto__')) return false;
  // Every reader is given bytes of its own: they are no part of a frozen copy.
  if (Object.values(source).some(isHandedOut)) return false;
  if (prototype === PLAIN) return true;
  // What the class has itself, such as a setter, would be met by writing the field; what inherits from a date may be one.
  return !isExotic(source) && !isNative(prototype) && !keys.some((key) => key in prototype);
}

/** `undefined` where code cannot be generated (`--disallow-code-generation-from-strings`). */
function copyFor(prototype: object, keys: readonly string[]): Shape['copy'] | undefined {
  // Names of fields may come from anywhere: in the code they are string literals, and nothing else.
  const names = keys.map((key) => JSON.stringify(key));
  const read = names.map((name, i) => `const v${i} = source[${name}];`).join(' ');
  const copied = keys.map(
    (_, i) =>
      `typeof v${i} === 'string' || typeof v${i} === 'number' ? v${i} : copyPart(v${i}, places[${i}])`,
  );
  const literal = names.map((name, i) => `${name}: ${copied[i]}`).join(', ');
  const fields = names.map((name, i) => `this[${name}] = ${copied[i]};`).join(' ');
  const code =
    prototype === PLAIN
      ? `'use strict'; return (source, copyPart, places) => { ${read} return freeze({ ${literal} }); };`
      : `'use strict'; function Copy(source, copyPart, places) { ${read} ${fields} }
         Copy.prototype = prototype;
         return (source, copyPart, places) => freeze(new Copy(source, copyPart, places));`;
  try {
    // oxlint-disable-next-line no-new-func, typescript/no-implied-eval -- see above
    const make = new Function('prototype', 'freeze', code) as (
      of: object,
      seal: typeof freeze,
    ) => Shape['copy'];
    return make(prototype, freeze);
  } catch {
    return undefined;
  }
}
