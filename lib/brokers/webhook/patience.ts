/**
 * Aborts requests that are made one behind another: each when its time is over, and all when the call that they belong to is given
 * up. `AbortSignal.any` with `AbortSignal.timeout` does the same for one request, and costs as much as the request.
 */
export class Patience {
  #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #giveUp = (): void => this.#controller.abort(this.outer.reason);

  constructor(
    private readonly outer: AbortSignal,
    timeoutMs: number,
  ) {
    outer.addEventListener('abort', this.#giveUp);
    this.#timer = setTimeout(() => {
      const late = new DOMException(`Not answered within ${timeoutMs} ms.`, 'TimeoutError');
      this.#controller.abort(late);
    }, timeoutMs);
  }

  /** The signal of the next request, whose time begins. */
  begin(): AbortSignal {
    if (this.#controller.signal.aborted) this.#controller = new AbortController();
    if (this.outer.aborted) this.#giveUp();
    this.#timer.refresh();
    return this.#controller.signal;
  }

  end(): void {
    clearTimeout(this.#timer);
    this.outer.removeEventListener('abort', this.#giveUp);
  }
}
