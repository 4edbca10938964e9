import { AsyncLocalStorage } from 'node:async_hooks';
import type { UnitContext } from '../buffer/unit-of-work.js';
import type { Emission } from '../emission/emission.js';
import { Captures, type RecorderMode } from './captures.js';
import { matchesPartially } from './partial-match.js';
import { RequestMarks, type Scope } from './request-marks.js';
import type { SourceLine } from './source-line.js';

/** Where an emission comes from. */
interface Birth {
  readonly captures: Captures | undefined;
  readonly line: SourceLine;
}

/**
 * Knows on behalf of which test something is emitted: the one in whose async context it happens, else the one whose emission
 * is being handled, else one that claimed it; and when there is none, nobody's in particular.
 */
export class Attribution {
  /** For what belongs to no test in particular. */
  readonly common: Captures;
  /** Whether an application has been built that is recorded. */
  isPartOfOne = false;
  readonly #storage = new AsyncLocalStorage<Scope | undefined>();
  readonly #births = new WeakMap<Emission, Birth>();
  readonly #claims = new Map<Captures, UnitContext[]>();
  readonly #marks = new RequestMarks(this.#storage);

  constructor(mode: RecorderMode) {
    this.common = new Captures(mode);
  }

  /** The captures of the code that asks. */
  get current(): Captures {
    return this.#storage.getStore()?.captures ?? this.common;
  }

  /** A captures for one test; `close` it when the test is over. */
  open(mode: RecorderMode): Captures {
    const captures = new Captures(mode);
    this.#claims.set(captures, []);
    this.#marks.add(captures);
    return captures;
  }

  close(captures: Captures): void {
    this.#claims.delete(captures);
    this.#marks.remove(captures);
  }

  /** Runs work on behalf of a test; everything asynchronous that it starts stays with it. */
  within<T>(captures: Captures, work: () => T): T {
    return this.#storage.run(captures === this.common ? undefined : { captures }, work);
  }

  /** The same on behalf of the test that an emission belongs to. */
  withinLedgerOf<T>(emission: Emission, work: () => T): T {
    return this.within(this.capturesOf(emission), work);
  }

  /** What nobody else caused, and holds all that is said here, belongs to the test. */
  claim(captures: Captures, context: UnitContext): void {
    this.#claims.get(captures)?.push(context);
  }

  /** An emission was made. */
  born(emission: Emission, cause: Emission | undefined, line: SourceLine): void {
    const captures =
      this.#storage.getStore()?.captures ?? (cause && this.#births.get(cause)?.captures);
    this.#births.set(emission, { captures: captures ?? this.#claimant(emission), line });
  }

  capturesOf(emission: Emission): Captures {
    return this.#births.get(emission)?.captures ?? this.common;
  }

  isInline(emission: Emission): boolean {
    return this.capturesOf(emission).mode === 'inline';
  }

  lineOf(emission: Emission): SourceLine | undefined {
    return this.#births.get(emission)?.line;
  }

  #claimant(emission: Emission): Captures | undefined {
    for (const [captures, contexts] of this.#claims) {
      if (contexts.some((context) => matchesPartially(emission, context))) return captures;
    }
    return undefined;
  }
}
