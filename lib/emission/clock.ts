const RESYNC_AFTER_MS = 1_000;

/**
 * Epoch milliseconds with fractions that never go backwards, also when the wall clock is set back.
 *
 * `performance.now()` gives the fraction; once a second it is set against the wall clock, so that a process that lives for
 * weeks does not drift from it.
 */
export class Clock {
  #offset = 0;
  #syncedAt = Number.POSITIVE_INFINITY;
  #last = 0;

  now(): number {
    const elapsed = performance.now();
    if (!(elapsed - this.#syncedAt < RESYNC_AFTER_MS && elapsed >= this.#syncedAt)) {
      this.#offset = Date.now() - elapsed;
      this.#syncedAt = elapsed;
    }
    const now = elapsed + this.#offset;
    return now > this.#last ? (this.#last = now) : this.#last;
  }
}
