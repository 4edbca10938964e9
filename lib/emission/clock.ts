const RESYNC_AFTER_MS = 1_000;
/** The wall clock tells whole milliseconds: more than this apart, one of the two was set. */
const APART_MS = 2;

/**
 * Epoch milliseconds with fractions that never go backwards, also when the wall clock is set back.
 *
 * `performance.now()` gives the fraction, its origin where a millisecond of the wall clock begins; once a second it is set
 * against the wall clock, so that a process that lives for weeks does not drift from it.
 */
export class Clock {
  #offset = performance.timeOrigin;
  #syncedAt = Number.POSITIVE_INFINITY;
  #last = 0;

  now(): number {
    const elapsed = performance.now();
    if (!(elapsed - this.#syncedAt < RESYNC_AFTER_MS && elapsed >= this.#syncedAt)) {
      this.#offset = synced(elapsed, this.#offset);
      this.#syncedAt = elapsed;
    }
    const now = elapsed + this.#offset;
    return now > this.#last ? (this.#last = now) : this.#last;
  }
}

/** The offset with which `elapsed` falls into the wall clock's current millisecond. */
function synced(elapsed: number, offset: number): number {
  const wall = Date.now();
  const ahead = elapsed + offset - wall;
  if (!(Math.abs(ahead) <= APART_MS)) return wall - elapsed;
  return offset - Math.max(ahead - 1, 0) - Math.min(ahead, 0);
}
