import type { Emission } from '../emission/emission.js';
import type { Consumer } from './consumer.js';
import { Queue } from './queue.js';

/**
 * What was handed over and has not been given to its consumers: it waits for the next round of the event loop, so that a
 * response is written before the work it caused begins.
 *
 * Why it stands before the consumers' queues: most of them are empty most of the time. What arrives for an idle handler is
 * given to it past its queue, emission by emission, so that the handlers of one emission can share what a call needs; that
 * takes a fifth of the time.
 */
export class Arrivals {
  readonly #emissions = new Queue<Emission>();
  readonly #takers = new Queue<readonly Consumer[]>();

  /** Whether there are any. */
  get waiting(): boolean {
    return this.#emissions.length > 0;
  }

  /** Takes an emission in for consumers that keep room for it, among others. */
  add(emission: Emission, takers: readonly Consumer[]): void {
    this.#emissions.push(emission);
    this.#takers.push(takers);
  }

  /** Gives out what has arrived, as long as one may go on; returns whether there is more. */
  giveOut(mayGoOn: () => boolean): boolean {
    for (let count = 1; this.waiting; count *= 2) {
      for (let i = 0; i < count && this.waiting; i++) {
        const emission = this.#emissions.shift();
        for (const taker of this.#takers.shift()) taker.receive(emission);
      }
      // Asked after 1, 3, 7 … emissions: the clock costs as much as a quick handler.
      if (!mayGoOn()) break;
    }
    return this.waiting;
  }

  /** Puts all that has arrived into the consumers' queues: one of them is about to be changed. */
  queue(): void {
    while (this.waiting) {
      const emission = this.#emissions.shift();
      for (const taker of this.#takers.shift()) taker.queue(emission);
    }
  }
}
