import { isExotic, isNative } from './exotic.js';
import { isHandedOut } from './handed-out.js';

const { freeze, getPrototypeOf, prototype: PLAIN } = Object;
/** What generated code calls, as it was before anybody could change it. */
const TOOLS = { freeze, getPrototypeOf, hasOwnProperty: PLAIN.hasOwnProperty };

/** Copies a part of a value, which is at a place within it. @throws when it cannot be a part of a shape */
export type CopyPart<P> = (part: unknown, place: P) => unknown;

/**
 * The class that objects are of, their fields in their order, and the function that copies and freezes what has just these; of
 * anything else it gives `undefined`, and has read nothing but its constructor.
 */
export interface Shape<P> {
  readonly prototype: object;
  readonly keys: readonly string[];
  /** The places of its parts, one a field. */
  readonly places: readonly P[];
  readonly copy: (
    source: object,
    copyPart: CopyPart<P>,
    places: readonly P[],
  ) => object | undefined;
}

/**
 * Makes the shape of a plain object or an instance of a class.
 *
 * @param placeOf makes the place of a part
 * @returns `undefined` when it can have none: it holds bytes or is more than its fields, or code cannot be generated
 */
export function shapeFor<P>(
  source: object,
  prototype: object,
  keys: readonly string[],
  placeOf: () => P,
): Shape<P> | undefined {
  const copy = canBeShaped(source, prototype, keys) ? copyFor<P>(prototype, keys) : undefined;
  return copy && { prototype, keys, places: keys.map(placeOf), copy };
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
function copyFor<P>(prototype: object, keys: readonly string[]): Shape<P>['copy'] | undefined {
  // Names of fields may come from anywhere: in the code they are string literals, and nothing else.
  const names = keys.map((key) => JSON.stringify(key));
  const read = names.map((name, i) => `const v${i} = source[${name}];`).join(' ');
  // The parts are copied before the literal is made: V8 then makes and fills it in one go.
  const copied = keys
    .map(
      (_, i) =>
        `const c${i} = typeof v${i} === 'string' || typeof v${i} === 'number' ? v${i} : copyPart(v${i}, places[${i}]);`,
    )
    .join(' ');
  const literal = names.map((name, i) => `${name}: c${i}`).join(', ');
  const fields = names.map((name, i) => `this[${name}] = c${i};`).join(' ');
  const isOther = isOtherFor(keys);
  const copier =
    prototype === PLAIN
      ? `return (source, copyPart, places) => { ${isOther} ${read} ${copied} return freeze({ ${literal} }); };`
      : `function Copy(source, copyPart, places) { ${read} ${copied} ${fields} }
         Copy.prototype = prototype;
         return (source, copyPart, places) => { ${isOther} return freeze(new Copy(source, copyPart, places)); };`;
  const code = `'use strict'; const { freeze, getPrototypeOf, hasOwnProperty } = tools; ${copier}`;
  try {
    // oxlint-disable-next-line no-new-func, typescript/no-implied-eval -- see above
    const make = new Function('prototype', 'keys', 'tools', code) as (
      ...given: [object, readonly string[], typeof TOOLS]
    ) => Shape<P>['copy'];
    return make(prototype, keys, TOOLS);
  } catch {
    return undefined;
  }
}

/**
 * The code that leaves what is of another class, or has other fields of its own. To walk over them takes half the time of listing them,
 * and V8 need not look up whether a field that it comes by there is an own one; what is inherited comes last.
 *
 * The constructor is read since V8 knows the hidden class from then on, and with it the prototype: asking for that takes 9 ns else.
 */
function isOtherFor(keys: readonly string[]): string {
  const reads = keys.includes('constructor') ? '' : 'source.constructor;';
  return `
    ${reads}
    if (getPrototypeOf(source) !== prototype) return undefined;
    let i = 0;
    for (const key in source) {
      if (!hasOwnProperty.call(source, key)) break;
      if (key !== keys[i++]) return undefined;
    }
    if (i !== ${keys.length}) return undefined;`;
}
