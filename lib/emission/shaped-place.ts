import { shapeFor, type Shape } from './shape.js';
import type { ShapeBudget } from './shape-budget.js';

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
  /** The shape that was known here first: most places have no other. */
  first: Shape<ShapedPlace> | undefined = undefined;
  readonly #budget: ShapeBudget;
  readonly #shapes: Shape<ShapedPlace>[] = [];
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
  shapeOf(source: object, prototype: object): Shape<ShapedPlace> | undefined {
    const shapes = this.#shapes;
    let keys: readonly string[] | undefined;
    for (let i = 0; i < shapes.length; i++) {
      const shape = shapes[i]!;
      if (shape.prototype !== prototype) continue;
      keys ??= Object.keys(source);
      if (areSame(shape.keys, keys)) return shape;
    }
    if (shapes.length < SHAPES_A_PLACE) this.#meet(source, prototype, keys);
    return undefined;
  }

  /** Whether copies by shapes have failed here too often: they are made without from then on. */
  get isGivenUp(): boolean {
    return this.#failures >= FAILURES;
  }

  /** A copy by shapes has failed here, and was made without. */
  failed(): void {
    this.#failures++;
  }

  #meet(source: object, prototype: object, known: readonly string[] | undefined): void {
    // Each byte would be a key.
    if (this.#budget.isSpent || ArrayBuffer.isView(source)) return;
    const keys = known ?? Object.keys(source);
    if (keys.length > MAX_FIELDS || ++this.#candidateFor(keys).met < MET_BEFORE) return;
    const placeOf = (): ShapedPlace => new ShapedPlace(this.#budget, this.depth + 1);
    const shape = shapeFor(source, prototype, keys, placeOf);
    if (shape === undefined) {
      this.#candidateFor(keys).met = -ASKED_AGAIN_AFTER;
      return;
    }
    this.#budget.spend();
    this.#shapes.push(shape);
    this.first ??= shape;
  }

  /** Who stands for such fields; those that are met least make room for others, and not those that were refused. */
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
      const least = this.#candidates.reduce((a, b) => (Math.abs(b.met) < Math.abs(a.met) ? b : a));
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
