import { createContext, Script } from 'node:vm';
import { PatternError } from './emission.errors.js';

/** How long one match may take, in milliseconds; an honest one takes microseconds. */
const TIME_LIMIT_MS = 50;
/** Only these constructs can make matching a name take long. */
const REPEATED_GROUP = /\)\s*(?:[*+]|\{\d*,?\d*\})|\\[1-9]|\\k</;
const ADJACENT_REPEATS = /(?:[*+}]\??[^|]*){3,}/;

const script = new Script('regexp.lastIndex = 0; regexp.test(name)');
/** Made when first needed: most applications never do. */
let sandbox: { regexp?: RegExp; name?: string } | undefined;

/**
 * Tests a name against a regular expression that may have been written carelessly, or with bad intent.
 *
 * An expression with repeated groups, back references or many repeats can take exponential time; such a one runs under a
 * watchdog that V8 interrupts. All others run plainly. It is called once per pattern and name, never per emission.
 *
 * @throws PatternError when the time limit is exceeded
 */
export function matchRegExp(regexp: RegExp, name: string): boolean {
  if (!REPEATED_GROUP.test(regexp.source) && !ADJACENT_REPEATS.test(regexp.source)) {
    regexp.lastIndex = 0;
    return regexp.test(name);
  }
  try {
    sandbox ??= createContext({});
    Object.assign(sandbox, { regexp, name });
    return script.runInContext(sandbox, { timeout: TIME_LIMIT_MS }) === true;
  } catch (error) {
    throw new PatternError(
      regexp,
      `matching the name ${JSON.stringify(name)} took longer than ${TIME_LIMIT_MS} ms (catastrophic backtracking); it ` +
        `does not match that name from now on`,
      { cause: error },
    );
  }
}
