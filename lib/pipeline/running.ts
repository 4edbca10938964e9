import type { Attempt } from './attempt.js';

/** With more slots than this, gaps are closed when most are gaps. */
const SPARSE = 64;
/** After more attempts than this in a row, they get new slots: V8 notes whatever new is stored in what is old. */
const WORN = 8;

/**
 * The attempts that are under way; each knows its slot, so that none has to be looked for. Slots become free in any order, and are
 * used again from the start whenever all are free, as they mostly are in no time.
 */
export class Running {
  #slots: (Attempt | undefined)[] = [];
  #used = 0;
  #count = 0;

  /** All of them, in the order in which they began. */
  get all(): readonly Attempt[] {
    return this.#slots.filter((slot) => slot !== undefined);
  }

  add(attempt: Attempt): void {
    if (this.#used > SPARSE) this.#closeGaps();
    attempt.at = this.#used++;
    this.#slots[attempt.at] = attempt;
    this.#count++;
  }

  /** @returns whether it was one of them */
  delete(attempt: Attempt): boolean {
    if (attempt.at < 0) return false;
    this.#slots[attempt.at] = undefined;
    attempt.at = -1;
    if (--this.#count === 0) this.#startAnew();
    return true;
  }

  /** Forgets them all, and returns them. */
  clear(): readonly Attempt[] {
    const { all } = this;
    for (const attempt of all) attempt.at = -1;
    this.#slots = [];
    this.#used = 0;
    this.#count = 0;
    return all;
  }

  /** All slots are free. */
  #startAnew(): void {
    if (this.#used > WORN) this.#slots = [];
    this.#used = 0;
  }

  #closeGaps(): void {
    if (this.#used <= this.#count * 4) return;
    this.#slots = [...this.all];
    for (const [i, attempt] of this.#slots.entries()) attempt!.at = i;
    this.#used = this.#slots.length;
  }
}
