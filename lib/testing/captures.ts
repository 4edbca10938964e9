// Not the global one: a test that stops the clock still wants to hear when it waits in vain.
import { clearTimeout as stopWaiting, setTimeout as wait } from 'node:timers';
import type { Emission } from '../emission/emission.js';
import type { SourceLine } from './source-line.js';

/**
 * What becomes of emissions in a test: `'default'` captures them, `'strict'` also wants each one asserted, `'inline'` runs the
 * handlers inside the commit and captures nothing.
 */
export type RecorderMode = 'default' | 'strict' | 'inline';

/** One emission as it was captured. */
export interface Entry {
  readonly emission: Emission;
  /** Whether somebody has to assert it. */
  readonly isStrict: boolean;
  /** Where it was emitted. */
  readonly line: SourceLine | undefined;
  /** Whether somebody has, or it was reported that nobody did. */
  isConsumed: boolean;
}

interface Waiter {
  readonly wants: (emission: Emission) => boolean;
  readonly resolve: (emission: Emission) => void;
}

/** What was emitted on behalf of one test, in order, and what of it was asserted. */
export class Captures {
  mode: RecorderMode;
  #entries: Entry[] = [];
  readonly #waiters = new Set<Waiter>();

  constructor(mode: RecorderMode) {
    this.mode = mode;
  }

  /** Everything captured. */
  get entries(): readonly Entry[] {
    return this.#entries;
  }

  /** What expectations look at: in strict mode, nothing of what came before it. */
  get visible(): readonly Entry[] {
    return this.mode === 'strict'
      ? this.#entries.filter(({ isStrict }) => isStrict)
      : this.#entries;
  }

  /** What somebody has to assert, and nobody has. */
  get unasserted(): readonly Entry[] {
    return this.#entries.filter(({ isStrict, isConsumed }) => isStrict && !isConsumed);
  }

  record(emission: Emission, line: SourceLine | undefined): void {
    if (this.mode === 'inline') return;
    const entry = { emission, isStrict: this.mode === 'strict', line, isConsumed: false };
    this.#entries.push(entry);
    for (const waiter of this.#waiters) {
      if (!waiter.wants(emission)) continue;
      this.#waiters.delete(waiter);
      entry.isConsumed = true;
      return waiter.resolve(emission);
    }
  }

  /** Resolves with, and consumes, the next emission that is wanted; rejects when none comes in time (real milliseconds). */
  next(
    wants: (emission: Emission) => boolean,
    timeoutMs: number,
    error: () => Error,
  ): Promise<Emission> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        wants,
        resolve: (emission) => {
          stopWaiting(timer);
          resolve(emission);
        },
      };
      const timer = wait(() => {
        this.#waiters.delete(waiter);
        reject(error());
      }, timeoutMs);
      this.#waiters.add(waiter);
    });
  }

  reset(): void {
    this.#entries = [];
  }
}
