/**
 * Aborts one request when its time is over, or when the call that it belongs to is given up. `AbortSignal.any` with
 * `AbortSignal.timeout` does the same, and costs as much as the request.
 */
export class Patience {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #giveUp: () => void;

  constructor(
    private readonly outer: AbortSignal,
    timeoutMs: number,
  ) {
    this.#giveUp = () => this.#controller.abort(outer.reason);
    if (outer.aborted) this.#giveUp();
    else outer.addEventListener('abort', this.#giveUp);
    this.#timer = setTimeout(() => {
      const late = new DOMException(`Not answered within ${timeoutMs} ms.`, 'TimeoutError');
      this.#controller.abort(late);
    }, timeoutMs);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  end(): void {
    clearTimeout(this.#timer);
    this.outer.removeEventListener('abort', this.#giveUp);
  }
}
