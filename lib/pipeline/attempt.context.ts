import type { DeliveryContext } from '../emission/adapter.js';
import type { Attempt } from './attempt.js';

/** What an adapter sees of an attempt: it can be frozen, copied and logged, and nothing comes of it. */
export class AttemptContext implements DeliveryContext {
  static {
    Object.freeze(this.prototype);
  }

  readonly #attempt: Attempt;

  constructor(attempt: Attempt) {
    this.#attempt = attempt;
  }

  get attempt(): number {
    return this.#attempt.attempt;
  }

  get consumer(): string {
    return this.#attempt.consumer;
  }

  get signal(): AbortSignal {
    return this.#attempt.signal;
  }
}
