/** For how long endpoints are to be left alone; those whose time is over are forgotten, whether they are asked again or not. */
export class Rests {
  readonly #until = new Map<string, number>();

  /** @param now the time, in milliseconds */
  constructor(private readonly now: () => number = Date.now) {}

  /** How many endpoints are remembered. */
  get size(): number {
    return this.#until.size;
  }

  /** For how much longer, in milliseconds; 0 or less: not any more. */
  leftOf(endpoint: string): number {
    return (this.#until.get(endpoint) ?? 0) - this.now();
  }

  /** From now on for so many milliseconds; 0 or less: not any more. */
  set(endpoint: string, ms: number): void {
    const now = this.now();
    this.#until.delete(endpoint);
    for (const [other, until] of this.#until) {
      if (until > now) break;
      this.#until.delete(other);
    }
    if (ms > 0) this.#until.set(endpoint, now + ms);
  }
}
