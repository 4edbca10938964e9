import type { Emission } from '../emission/emission.js';
import type { Consumer } from './consumer.js';
import { Queue } from './queue.js';

/** As many as a handler works on side by side, unless it says otherwise: with more, it would have to queue them. */
const AT_ONCE = 16;

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
  /** What is being given out at the moment, and to whom it has not been given yet. */
  #current: Emission | undefined;
  #to: readonly Consumer[] = [];
  #next = 0;

  /** Whether there are any. */
  get waiting(): boolean {
    return this.#emissions.length > 0;
  }

  /** Takes an emission in for consumers that keep room for it, among others. */
  add(emission: Emission, takers: readonly Consumer[]): void {
    this.#emissions.push(emission);
    this.#takers.push(takers);
  }

  /** Gives out what has arrived, until calls are under way that could soon be over, or time is up; returns whether there is more. */
  giveOut(mayGoOn: () => boolean): boolean {
    let underWay = 0;
    for (let given = 1; this.waiting; given++) {
      const emission = this.#emissions.shift();
      let goesOn = false;
      this.#current = emission;
      this.#to = this.#takers.shift();
      this.#next = 0;
      while (this.#next < this.#to.length)
        if (this.#to[this.#next++]!.receive(emission)) goesOn = true;
      if (goesOn && ++underWay === AT_ONCE) break;
      // After 1, 2, 4 … 64, 128, 192 …: the clock costs as much as a quick handler.
      const asks = given < 64 ? (given & (given - 1)) === 0 : (given & 63) === 0;
      if (asks && !mayGoOn()) break;
    }
    return this.waiting;
  }

  /** Puts all that has arrived into the consumers' queues: one of them is about to be changed. */
  queue(): void {
    // A handler is being called: those behind it have not got the emission yet.
    while (this.#next < this.#to.length) this.#to[this.#next++]!.queue(this.#current!);
    while (this.waiting) {
      const emission = this.#emissions.shift();
      for (const taker of this.#takers.shift()) taker.queue(emission);
    }
  }
}
