const A_MINUTE_MS = 60_000;

/** Counts those who were disconnected since they did not read, ever and lately. */
export class SlowClients {
  #times: number[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Within the last minute. */
  get lately(): number {
    this.#forget();
    return this.#times.length;
  }

  add(): void {
    this.#forget();
    this.#times.push(performance.now());
    this.#count++;
  }

  #forget(): void {
    const since = performance.now() - A_MINUTE_MS;
    const first = this.#times.findIndex((time) => time > since);
    this.#times = first < 0 ? [] : this.#times.slice(first);
  }
}
