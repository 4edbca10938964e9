import { performance as direct } from 'node:perf_hooks';
import { setTimeout as ownTimer } from 'node:timers';

/** JavaScript's own; none when this is loaded while a test has stopped the clock, with a class or a proxy in its place. */
const OwnDate =
  Date.prototype?.constructor === Date &&
  /\[native code\]/.test(Function.prototype.toString.call(Date))
    ? Date
    : undefined;
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
    // The global one is an accessor, which V8 cannot see through: 2 to 5 % of an emission. Who stops the clock replaces one of these two.
    const isRunning = Date === OwnDate && setTimeout === ownTimer;
    const elapsed = (isRunning ? direct : performance).now();
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
