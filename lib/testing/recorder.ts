import type { UnitContext } from '../buffer/unit-of-work.js';
import { ConfigurationError } from '../emission/emission.errors.js';
import type { Emission } from '../emission/emission.js';
import { Pattern, type SinglePattern } from '../emission/pattern.js';
import { quote } from '../emission/quote.js';
import type { HandledPayload } from '../handlers/on-emission.decorator.js';
import type { Attribution } from './attribution.js';
import {
  describe,
  unassertedReport,
  unmet,
  type Checked,
  type EmissionOf,
  type Expected,
  type ExpectedEmission,
  type Named,
  type PartOf,
} from './expectation.js';
import type { Entry, Captures, RecorderMode } from './captures.js';
import { matchesPartially } from './partial-match.js';
import { ExpectationError, TestingError } from './testing.errors.js';

const MODES: readonly RecorderMode[] = ['default', 'strict', 'inline'];
const NEXT_TIMEOUT_MS = 4_000;

/**
 * Sees what an application commits, in the place of its adapters. What a failed unit of work emitted is never seen.
 *
 * - `'default'`: everything is captured, nothing is checked.
 * - `'strict'`: `verify()` fails for what nobody asserted, with the lines that emitted it. Call it when a test ends, and
 *   `await emissions.settled()` before, when handlers emit.
 * - `'inline'`: handlers run inside the commit, one behind another; what they throw fails the commit. Nothing is captured.
 *
 * `expectEmitted`, `expectEmittedInOrder` and `next` consume what they find, so that two equal emissions need two expectations.
 */
export class EmissionRecorder implements Disposable {
  readonly #attribution: Attribution;
  readonly #own: Captures | undefined;

  /** @internal Made by `recordEmissions` and `emissionsTestingModule`, and, with captures of its own, by `run`. */
  constructor(attribution: Attribution, own?: Captures) {
    this.#attribution = attribution;
    this.#own = own;
  }

  get #captures(): Captures {
    return this.#own ?? this.#attribution.current;
  }

  /** What becomes of emissions now; change it with `use`. */
  get mode(): RecorderMode {
    return this.#captures.mode;
  }

  /**
   * Changes the mode for what is committed from now on. Leaving strict mode verifies; entering it ignores what came before.
   *
   * @throws ConfigurationError for a mode there is not
   * @throws ExpectationError as `verify` does
   */
  use(mode: RecorderMode): void {
    checkMode(mode);
    const captures = this.#captures;
    const before = captures.mode;
    captures.mode = mode;
    if (before === 'strict' && mode !== 'strict') this.verify();
  }

  /** Everything committed since the start or the last `reset`, in order, asserted or not. */
  all(): Emission[] {
    this.#checkThere();
    return this.#captures.entries.map(({ emission }) => emission);
  }

  /** Those that a name, glob, regular expression or class takes, in order, asserted or not. */
  named<const P extends SinglePattern>(pattern: P): Emission<HandledPayload<P>>[] {
    const compiled = new Pattern(pattern);
    return this.all().filter(({ name }) => compiled.matches(name)) as EmissionOf<P>[];
  }

  /** Whether an emission of that name that holds all that `partial` says was committed; consumes nothing. */
  has<const P extends Named>(
    name: P,
    partial?: PartOf<P> | ((emission: EmissionOf<P>) => unknown),
  ): boolean {
    return this.#candidates(name).some(({ emission }) => fits(emission, partial));
  }

  /**
   * Finds the first emission that was not asserted yet, has the name, and holds all that `partial` says; consumes it. In strict
   * mode, only what was committed in strict mode is looked at.
   *
   * With a function instead, every emission of the name that was not asserted yet is given to it, and consumed; the function
   * fails the test by throwing, or by returning `false`.
   *
   * @returns the emission, the first one with a function
   * @throws ExpectationError saying what came closest and what was emitted instead
   */
  expectEmitted<const P extends Named>(
    name: P,
    partial?: PartOf<P> | ((emission: EmissionOf<P>) => unknown),
  ): EmissionOf<P> {
    const candidates = this.#candidates(name);
    const open = candidates.filter(({ isConsumed }) => !isConsumed);
    const isCheck = typeof partial === 'function';
    const found = isCheck
      ? open
      : open.filter(({ emission }) => matchesPartially(emission, partial)).slice(0, 1);
    if (found.length === 0) fail(unmet(this.#captures, name, partial, candidates));
    for (const entry of found) {
      entry.isConsumed = true;
      if (isCheck && partial(entry.emission as EmissionOf<P>) === false) {
        fail(`The check of ${describe(name)} refuses ${quote(entry.emission)}.`);
      }
    }
    return found[0]!.emission as EmissionOf<P>;
  }

  /**
   * Finds emissions that were committed one behind another, as listed; others may stand between them. Consumes them.
   *
   * ```ts
   * recorder.expectEmittedInOrder(['order.created', ['stock.reserved', { payload: { left: 3 } }]]);
   * ```
   *
   * @throws ExpectationError naming the first that did not come where it was expected; nothing is consumed then
   */
  expectEmittedInOrder<const E extends readonly Expected[]>(
    expected: E & { [I in keyof E]: Checked<E[I]> },
  ): { -readonly [I in keyof E]: ExpectedEmission<E[I]> } {
    const found = this.#findInOrder(expected as readonly Expected[]);
    for (const entry of found) entry.isConsumed = true;
    return found.map(({ emission }) => emission) as never;
  }

  /**
   * Sees to it that no emission of that name that holds all that `partial` says was committed, asserted or not; consumes nothing.
   * With a function instead, that there is none for which it neither throws nor returns `false`.
   *
   * @throws ExpectationError showing the first one there is, and the line that emitted it
   */
  expectNotEmitted<const P extends Named>(
    name: P,
    partial?: PartOf<P> | ((emission: EmissionOf<P>) => unknown),
  ): void {
    const found = this.#candidates(name).find(({ emission }) => fits(emission, partial));
    if (found === undefined) return;
    const [line] = found.line?.lines ?? [];
    fail(
      `Expected ${describe(name, partial)} not to be emitted, but it was: ${quote(found.emission)}` +
        `${line === undefined ? '' : `\n  emitted at ${line}`}.`,
    );
  }

  /**
   * The first emission of that name that was not asserted yet; waits for it when there is none, and consumes it. Waits in real
   * time, also in a test that has stopped the clock.
   *
   * @throws ExpectationError when none comes within `timeoutMs` (default 4000)
   */
  next<const P extends Named>(
    name: P,
    options: { timeoutMs?: number } = {},
  ): Promise<EmissionOf<P>> {
    const { timeoutMs = NEXT_TIMEOUT_MS } = options;
    const captures = this.#captures;
    // Also before there is an application: it may be about what that emits when it starts.
    const there = this.#matching(name, captures).find(({ isConsumed }) => !isConsumed);
    if (there !== undefined) {
      there.isConsumed = true;
      return Promise.resolve(there.emission as EmissionOf<P>);
    }
    const pattern = new Pattern(name as SinglePattern);
    const asked = new Error('asked');
    return captures.next(
      (emission) => pattern.matches(emission.name),
      timeoutMs,
      () => {
        const candidates = this.#matching(name, captures);
        return new ExpectationError(unmet(captures, name, undefined, candidates, timeoutMs), asked);
      },
    ) as Promise<EmissionOf<P>>;
  }

  /** Forgets everything seen so far. */
  reset(): void {
    this.#captures.reset();
  }

  /** What strict mode wants asserted, and nobody has asserted yet. */
  unasserted(): Emission[] {
    this.#checkThere();
    return this.#captures.unasserted.map(({ emission }) => emission);
  }

  /**
   * Fails for what was committed in strict mode and not asserted. What it has reported, it does not report again. In the other
   * modes there is nothing to fail for.
   *
   * @throws ExpectationError naming each such emission, and the line that emitted it
   * @throws TestingError in strict mode when the recorder is part of no application
   */
  verify(): void {
    if (this.mode === 'strict') this.#checkThere();
    this.#verify();
  }

  #verify(): void {
    const left = this.#captures.unasserted;
    if (left.length === 0) return;
    for (const entry of left) entry.isConsumed = true;
    fail(unassertedReport(left));
  }

  /** The same as `verify`, at the end of the block: `using recorder = recordEmissions(…)`. */
  [Symbol.dispose](): void {
    // When the application could not be built, that is what the test is to tell.
    this.#verify();
  }

  /**
   * Runs a test on a record of its own: the recorder, used within it, shows what happened within it and nothing else, also when
   * several such tests share an application and run side by side. What belongs to a test: what is emitted in its async context
   * (timers, streams and parallel branches included), what handlers make of that, what the application emits for HTTP requests
   * the test sends it, and what it was allowed ({@link allow}). Verifies at the end.
   *
   * ```ts
   * it.concurrent('…', () => recorder.run(async () => { …; recorder.expectEmitted('order.created'); }));
   * ```
   *
   * @param work gets a recorder that shows this record wherever it is used, also in another async context
   */
  async run<T>(
    work: (recorder: EmissionRecorder) => T | Promise<T>,
    options: { mode?: RecorderMode } = {},
  ): Promise<T> {
    if (typeof work !== 'function') {
      throw new TestingError(
        `run takes the test as a function, but got ${quote(work)}. Write: recorder.run(async () => { … }).`,
      );
    }
    const { mode = this.mode } = options;
    checkMode(mode);
    const captures = this.#attribution.open(mode);
    const own = new EmissionRecorder(this.#attribution, captures);
    try {
      const result = await this.#attribution.within(captures, () => work(own));
      own.verify();
      return result;
    } finally {
      this.#attribution.close(captures);
    }
  }

  /** Gives back a function that does the same on behalf of this test, wherever it is called: by a worker, a shared socket. */
  allow<F extends (...args: never[]) => unknown>(work: F): F;
  /**
   * Adopts what no test caused when it holds all that is said: `recorder.allow({ tenant: 'org-7' })`. Until the test's `run` ends.
   */
  allow(context: UnitContext): void;
  allow(given: ((...args: unknown[]) => unknown) | UnitContext): unknown {
    const captures = this.#captures;
    const attribution = this.#attribution;
    if (typeof given !== 'function') {
      checkContext(given);
      return attribution.claim(captures, given);
    }
    return function (this: unknown, ...args: unknown[]): unknown {
      return attribution.within(captures, () => given.apply(this, args));
    };
  }

  /** @internal Finds what `expectEmittedInOrder` would, and consumes nothing. */
  findInOrder(expected: readonly Expected[]): readonly Emission[] {
    return this.#findInOrder(expected).map(({ emission }) => emission);
  }

  #findInOrder(expected: readonly Expected[]): readonly Entry[] {
    const { visible } = this.#captures;
    const found: Entry[] = [];
    let at = 0;
    for (const each of expected) {
      const [name, partial] = isPair(each) ? each : [each, undefined];
      const candidates = this.#candidates(name);
      const index = visible.findIndex(
        (entry, i) =>
          i >= at &&
          !entry.isConsumed &&
          candidates.includes(entry) &&
          fits(entry.emission, partial),
      );
      if (index < 0) {
        const before = found.map(({ emission }) => `'${emission.name}'`).join(', ');
        const said = unmet(this.#captures, name, partial, candidates);
        fail(before === '' ? said : `After ${before}: ${said}`);
      }
      found.push(visible[index]!);
      at = index + 1;
    }
    return found;
  }

  /** @throws TestingError where nothing can ever be seen, and a test would hold for nothing */
  #checkThere(): void {
    if (this.#attribution.isPartOfOne) return;
    throw new TestingError(
      'The recorder is part of no application, and sees nothing. Call recordEmissions(builder) before builder.compile(), for a root ' +
        'module that imports EmissionsModule.',
    );
  }

  #candidates(name: Named): readonly Entry[] {
    this.#checkThere();
    return this.#matching(name, this.#captures);
  }

  #matching(name: Named, captures: Captures): readonly Entry[] {
    const pattern = new Pattern(name as SinglePattern);
    return captures.visible.filter(({ emission }) => pattern.matches(emission.name));
  }
}

/** Whether an emission holds what is said of it, or passes a check. */
function fits(emission: Emission, said: unknown): boolean {
  if (typeof said !== 'function') return matchesPartially(emission, said);
  try {
    return said(emission) !== false;
  } catch {
    return false;
  }
}

function fail(message: string): never {
  throw new ExpectationError(message);
}

/** @throws ConfigurationError for a mode there is not */
export function checkMode(mode: RecorderMode): void {
  if (MODES.includes(mode)) return;
  throw new ConfigurationError(
    `A recorder has the modes ${MODES.map((each) => `'${each}'`).join(', ')}, but got ${quote(mode)}.`,
  );
}

function checkContext(given: unknown): void {
  if (typeof given === 'object' && given !== null && Object.keys(given).length > 0) return;
  throw new ConfigurationError(
    `allow takes a function, or what the emissions hold that are to be adopted, such as { tenant: 'org-7' }, but got ${quote(given)}.`,
  );
}

function isPair(expected: Expected): expected is readonly [Named, object] {
  return Array.isArray(expected);
}
