import { createContext, Script } from 'node:vm';
import { PatternError } from './emission.errors.js';

/** How long one match may take, in milliseconds; an honest one takes microseconds. */
const TIME_LIMIT_MS = 50;
/** A busy machine may stop an honest match for as long, but not twice in a row. */
const TRIES = 2;
/** A repeated group or a back reference can double the time with each character of the name. */
const REPEATED_GROUP = /\)\s*(?:[*+]|\{)|\\[1-9]|\\k</;
/** Each repeat multiplies the ways to match by the name's length, at most 2^8; each choice doubles them. */
const REPEATS = /[*+{]/g;
const CHOICES = /[|?]/g;
/** 2^20 ways are tried within milliseconds. */
const HARMLESS_BITS = 20;

const script = new Script('regexp.lastIndex = 0; regexp.test(name)');
/** Made when first needed: most applications never do. */
let sandbox: { regexp?: RegExp; name?: string } | undefined;

/**
 * Tests a name against a regular expression that may have been written carelessly, or with bad intent.
 *
 * An expression that can match in very many ways (repeated groups, back references, many repeats or alternatives) may take
 * exponential time; such a one runs under a watchdog that V8 interrupts. All others run plainly. It is called once per
 * pattern and name, never per emission.
 *
 * @throws PatternError when the time limit is exceeded
 */
export function matchRegExp(regexp: RegExp, name: string): boolean {
  if (isHarmless(regexp.source)) {
    regexp.lastIndex = 0;
    return regexp.test(name);
  }
  for (let tried = 1; ; tried++) {
    try {
      sandbox ??= createContext({});
      Object.assign(sandbox, { regexp, name });
      return script.runInContext(sandbox, { timeout: TIME_LIMIT_MS }) === true;
    } catch (error) {
      if (tried < TRIES) continue;
      throw new PatternError(
        regexp,
        `matching the name ${JSON.stringify(name)} took longer than ${TIME_LIMIT_MS} ms (catastrophic backtracking); it ` +
          `does not match that name from now on`,
        { cause: error },
      );
    }
  }
}

function isHarmless(source: string): boolean {
  if (REPEATED_GROUP.test(source)) return false;
  const repeats = source.match(REPEATS)?.length ?? 0;
  const choices = source.match(CHOICES)?.length ?? 0;
  // What is not tied to the name's start is tried at every character.
  const starts = source.startsWith('^') ? 0 : 8;
  return repeats * 8 + choices + starts <= HARMLESS_BITS;
}
