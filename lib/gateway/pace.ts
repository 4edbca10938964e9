/** How much more a malformed request counts than one that is not. */
const MALFORMED = 10;

/**
 * How fast a connection may ask: a bucket of tokens that refills with time. Its size lets a client that comes back ask for
 * all its channels at once.
 */
export class Pace {
  #tokens: number;
  #at = performance.now();

  constructor(
    private readonly perSecond: number,
    private readonly burst: number,
  ) {
    this.#tokens = burst;
  }

  /** Counts a request: whether it may be served, is refused, or is one too many to stay connected. */
  ask(): 'served' | 'refused' | 'hopeless' {
    const now = performance.now();
    const gained = ((now - this.#at) * this.perSecond) / 1_000;
    this.#tokens = Math.min(this.burst, this.#tokens + gained) - 1;
    this.#at = now;
    if (this.#tokens >= 0) return 'served';
    return this.#tokens >= -this.burst ? 'refused' : 'hopeless';
  }

  /** The request that was counted last was malformed. */
  wasMalformed(): void {
    this.#tokens -= MALFORMED - 1;
  }
}
