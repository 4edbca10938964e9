import { LONGEST_TIMER_MS } from '../emission/longest-timer.js';
import type { Clock } from '../emission/clock.js';
import type { Emission } from '../emission/emission.js';

/** However close together emissions expire, they are not looked for more often than this, in milliseconds. */
const AT_MOST_EVERY_MS = 20;

interface Host {
  readonly clock: Clock;
  /** Starts a timer in the context of no request. */
  outside<T>(arm: () => T): T;
}

/** When an emission is no longer worth delivering, in epoch milliseconds. */
export function expiryOf({ occurredAt, ttlMs }: Emission): number {
  return ttlMs === undefined ? Infinity : occurredAt + ttlMs;
}

/** Has what is queued looked through when something of it may have expired: a consumer that is stuck looks at nothing itself. */
export class Expiry {
  readonly #host: Host;
  readonly #look: () => number;
  #timer: NodeJS.Timeout | undefined;
  #at = Infinity;

  /** @param look takes out what has expired, and tells when the next one of what is left expires */
  constructor(host: Host, look: () => number) {
    this.#host = host;
    this.#look = look;
  }

  /** Something is queued that expires at that time. */
  expect(at: number): void {
    if (at >= this.#at) return;
    clearTimeout(this.#timer);
    this.#at = at;
    const delayMs = Math.max(at - this.#host.clock.now() + 1, AT_MOST_EVERY_MS);
    this.#timer = this.#host.outside(() =>
      setTimeout(this.#due, Math.min(delayMs, LONGEST_TIMER_MS)),
    );
    // Nobody is to wait for the end of something that is delivered.
    this.#timer.unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  readonly #due = (): void => {
    this.#at = Infinity;
    this.expect(this.#look());
  };
}
