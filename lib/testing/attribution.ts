import { AsyncLocalStorage } from 'node:async_hooks';
import type { UnitContext } from '../buffer/unit-of-work.js';
import type { Emission } from '../emission/emission.js';
import { Ledger, type RecorderMode } from './ledger.js';
import { matchesPartially } from './partial-match.js';
import { RequestMarks, type Scope } from './request-marks.js';
import type { SourceLine } from './source-line.js';

/** Where an emission comes from. */
interface Birth {
  readonly ledger: Ledger | undefined;
  readonly line: SourceLine;
}

/**
 * Knows on behalf of which test something is emitted: the one in whose async context it happens, else the one whose emission
 * is being handled, else one that claimed it; and when there is none, nobody's in particular.
 */
export class Attribution {
  /** For what belongs to no test in particular. */
  readonly common: Ledger;
  readonly #storage = new AsyncLocalStorage<Scope | undefined>();
  readonly #births = new WeakMap<Emission, Birth>();
  readonly #claims = new Map<Ledger, UnitContext[]>();
  readonly #marks = new RequestMarks(this.#storage);

  constructor(mode: RecorderMode) {
    this.common = new Ledger(mode);
  }

  /** The ledger of the code that asks. */
  get current(): Ledger {
    return this.#storage.getStore()?.ledger ?? this.common;
  }

  /** A ledger for one test; `close` it when the test is over. */
  open(mode: RecorderMode): Ledger {
    const ledger = new Ledger(mode);
    this.#claims.set(ledger, []);
    this.#marks.add(ledger);
    return ledger;
  }

  close(ledger: Ledger): void {
    this.#claims.delete(ledger);
    this.#marks.remove(ledger);
  }

  /** Runs work on behalf of a test; everything asynchronous that it starts stays with it. */
  within<T>(ledger: Ledger, work: () => T): T {
    return this.#storage.run(ledger === this.common ? undefined : { ledger }, work);
  }

  /** The same on behalf of the test that an emission belongs to. */
  withinLedgerOf<T>(emission: Emission, work: () => T): T {
    return this.within(this.ledgerOf(emission), work);
  }

  /** What nobody else caused, and holds all that is said here, belongs to the test. */
  claim(ledger: Ledger, context: UnitContext): void {
    this.#claims.get(ledger)?.push(context);
  }

  /** An emission was made. */
  born(emission: Emission, cause: Emission | undefined, line: SourceLine): void {
    const ledger = this.#storage.getStore()?.ledger ?? (cause && this.#births.get(cause)?.ledger);
    this.#births.set(emission, { ledger: ledger ?? this.#claimant(emission), line });
  }

  ledgerOf(emission: Emission): Ledger {
    return this.#births.get(emission)?.ledger ?? this.common;
  }

  isInline(emission: Emission): boolean {
    return this.ledgerOf(emission).mode === 'inline';
  }

  lineOf(emission: Emission): SourceLine | undefined {
    return this.#births.get(emission)?.line;
  }

  #claimant(emission: Emission): Ledger | undefined {
    for (const [ledger, contexts] of this.#claims) {
      if (contexts.some((context) => matchesPartially(emission, context))) return ledger;
    }
    return undefined;
  }
}
