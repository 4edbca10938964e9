import type { CallMaker } from '../emission/destination.js';
import { Attempt, type AttemptOwner } from './attempt.js';

/**
 * Stands for the calls of a consumer that return at once and that nobody asks for, as nearly all are: an attempt for each would be two
 * thirds of what a call leaves behind in memory (88 of 128 bytes).
 */
export class UnaskedCall implements CallMaker {
  readonly attempt = 1;
  readonly #owner: AttemptOwner;

  constructor(owner: AttemptOwner) {
    this.#owner = owner;
  }

  /** Another attempt each time; it is not known yet what it delivers. */
  own(): Attempt {
    return new Attempt(this.#owner, 1, undefined, false);
  }
}
