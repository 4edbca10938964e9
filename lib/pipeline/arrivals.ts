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
  /**
   * What has arrived since the shares were taken that are being given out. Each time it is another array: V8 writes down for its collector
   * what an old one is given, which takes longer than all else here.
   */
  #arrived: Share[] = [];
  /** The shares that are being given out, and which of them: what of it comes next, and to whom the one before has not been given yet. */
  #shares: Share[] = [NOTHING];
  #share = 0;
  #emission = 0;
  #taker = 0;

  /** Whether there are any. */
  get waiting(): boolean {
    return (
      this.#emission < this.#shares[this.#share]!.emissions.length ||
      this.#share + 1 < this.#shares.length ||
      this.#arrived.length > 0
    );
  }

  /** Takes emissions in for consumers that keep room for them, among others. */
  add(share: Share): void {
    this.#arrived.push(share);
  }

  /** Gives out what has arrived, until calls are under way that could soon be over, or time is up; returns whether there is more. */
  giveOut(mayGoOn: () => boolean): boolean {
    let underWay = 0;
    let given = 0;
    while (this.#findShare()) {
      const { emissions, takers, arriving } = this.#shares[this.#share]!;
      while (this.#emission < emissions.length) {
        const emission = emissions[this.#emission++]!;
        let goesOn = false;
        const slot = arriving > 1 ? { unit: undefined } : undefined;
        this.#taker = 0;
        while (this.#taker < takers.length)
          if (takers[this.#taker++]!.receive(emission, slot)) goesOn = true;
        if (goesOn && ++underWay === AT_ONCE) return this.#stop();
        given++;
        // After 1, 2, 4 … 64, 128, 192 …: the clock costs as much as a quick handler.
        const asks = given < 64 ? (given & (given - 1)) === 0 : (given & 63) === 0;
        if (asks && !mayGoOn()) return this.#stop();
      }
    }
    return this.#stop();
  }

  /** Puts all that has arrived into the consumers' queues: one of them is about to be changed. */
  queue(): void {
    // A handler is being called: those behind it have not got the emission yet.
    const { emissions, takers } = this.#shares[this.#share]!;
    const current = emissions[this.#emission - 1];
    while (this.#taker < takers.length) takers[this.#taker++]!.queue(current!);
    const end = Math.max(this.#emission, emissions.length);
    while (this.#findShare()) {
      const share = this.#shares[this.#share]!;
      const emission = share.emissions[this.#emission++]!;
      for (const taker of share.takers) taker.queue(emission);
    }
    this.#forget();
    // Whoever is giving out finds that nothing is left of the share, and nobody behind that handler.
    this.#emission = end;
  }

  /** Goes on to a share that something is left of, if there is one. */
  #findShare(): boolean {
    if (this.#emission < this.#shares[this.#share]!.emissions.length) return true;
    this.#shares[this.#share] = NOTHING;
    if (this.#share + 1 < this.#shares.length) this.#share++;
    else {
      if (this.#arrived.length === 0) return false;
      this.#shares = this.#arrived;
      this.#arrived = [];
      this.#share = 0;
    }
    this.#emission = 0;
    return true;
  }

  #stop(): boolean {
    if (this.waiting) return true;
    this.#forget();
    return false;
  }

  /** What is done with is not to be kept in memory. */
  #forget(): void {
    this.#shares = [NOTHING];
    this.#share = 0;
  }
}
