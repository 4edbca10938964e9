import type { Emission } from '../emission/emission.js';
import { Queue } from './queue.js';
import type { Share } from './shares.js';

/** As many as a handler works on side by side, unless it says otherwise: with more, it would have to queue them. */
const AT_ONCE = 16;
const NOTHING: Share = { emissions: [], takers: [], arriving: 0 };

/**
 * What was handed over and has not been given to its consumers: it waits for the next round of the event loop, so that a
 * response is written before the work it caused begins.
 *
 * Why it stands before the consumers' queues: most of them are empty most of the time. What arrives for an idle handler is
 * given to it past its queue, emission by emission, so that the handlers of one emission can share what a call needs; that
 * takes a fifth of the time.
 */
export class Arrivals {
  readonly #shares = new Queue<Share>();
  /** The share that is being given out: what of it comes next, and to whom the one before has not been given yet. */
  #share: Share = NOTHING;
  #emission = 0;
  #taker = 0;

  /** Whether there are any. */
  get waiting(): boolean {
    return this.#emission < this.#share.emissions.length || this.#shares.length > 0;
  }

  /** Takes emissions in for consumers that keep room for them, among others. */
  add(share: Share): void {
    this.#shares.push(share);
  }

  /** Gives out what has arrived, until calls are under way that could soon be over, or time is up; returns whether there is more. */
  giveOut(mayGoOn: () => boolean): boolean {
    let underWay = 0;
    for (let given = 1; this.waiting; given++) {
      const emission = this.#next();
      let goesOn = false;
      const slot = this.#share.arriving > 1 ? { unit: undefined } : undefined;
      while (this.#taker < this.#share.takers.length)
        if (this.#share.takers[this.#taker++]!.receive(emission, slot)) goesOn = true;
      if (goesOn && ++underWay === AT_ONCE) break;
      // After 1, 2, 4 … 64, 128, 192 …: the clock costs as much as a quick handler.
      const asks = given < 64 ? (given & (given - 1)) === 0 : (given & 63) === 0;
      if (asks && !mayGoOn()) break;
    }
    if (this.waiting) return true;
    this.#forget();
    return false;
  }

  /** Puts all that has arrived into the consumers' queues: one of them is about to be changed. */
  queue(): void {
    // A handler is being called: those behind it have not got the emission yet.
    const { emissions, takers } = this.#share;
    const current = emissions[this.#emission - 1];
    while (this.#taker < takers.length) takers[this.#taker++]!.queue(current!);
    while (this.waiting) {
      const emission = this.#next();
      for (const taker of this.#share.takers) taker.queue(emission);
    }
    this.#forget();
  }

  /** What is done with is not to be kept in memory. */
  #forget(): void {
    this.#share = NOTHING;
    this.#emission = 0;
    this.#taker = 0;
  }

  #next(): Emission {
    if (this.#emission === this.#share.emissions.length) {
      this.#share = this.#shares.shift();
      this.#emission = 0;
    }
    this.#taker = 0;
    return this.#share.emissions[this.#emission++]!;
  }
}
