import { randomFillSync } from 'node:crypto';

const HEX_3 = Array.from({ length: 4096 }, (_, n) => n.toString(16).padStart(3, '0'));
const COUNTER_MAX = 0xff_ff_ff;
const POOLED_SEEDS = 128;
/** How many random numbers of 32 bits a seed takes. */
const SEED = 3;

/**
 * Makes UUIDv7 identifiers (RFC 9562) that grow strictly within a process.
 *
 * A millisecond's first id takes 73 fresh random bits, the ones after it count up from there (RFC 9562 §6.2, method 2), so
 * that all but the last three digits are the same text for up to 4,096 ids: each costs a look-up and a sum, and has no digits of
 * its own in memory until somebody reads it. Randomness comes from the operating system, in pools. When the clock is set back, or
 * a millisecond is used up, ids go on from the last millisecond instead of repeating.
 */
export class Ids {
  readonly #pool = new Uint32Array(POOLED_SEEDS * SEED);
  #used = this.#pool.length;
  #millisecond = 0;
  /** What the ids of this millisecond have in common. */
  #prefix = '';
  /** The same with the counter's upper half. */
  #stem = '';
  #counter = COUNTER_MAX;

  /** The next id, for something that happened at `time` (epoch milliseconds). */
  next(time: number): string {
    const millisecond = Math.floor(time);
    if (millisecond > this.#millisecond) this.#seed(millisecond);
    else if (this.#counter === COUNTER_MAX) this.#seed(this.#millisecond + 1);
    const counter = ++this.#counter;
    if ((counter & 4095) === 0) this.#stemOf(counter);
    return this.#stem + hex3(counter);
  }

  /** Joined, not summed up: V8 would keep the pieces, and put them together anew for each id that is looked at. */
  #stemOf(counter: number): void {
    this.#stem = [this.#prefix, hex3(counter >>> 12)].join('');
  }

  #seed(millisecond: number): void {
    if (this.#used === this.#pool.length) {
      randomFillSync(this.#pool);
      this.#used = 0;
    }
    const [first, second, third] = [this.#draw(), this.#draw(), this.#draw()];
    const time = hex6(Math.floor(millisecond / 2 ** 24)) + hex6(millisecond % 2 ** 24);
    const variant = '89ab'[first >>> 30]!;
    this.#millisecond = millisecond;
    this.#prefix = `${time.slice(0, 8)}-${time.slice(8)}-7${hex3(first)}-${variant}${hex3(first >>> 12)}-${hex6(second)}`;
    // Half the range at most, so that a millisecond has room for at least eight million ids.
    this.#counter = third & (COUNTER_MAX >>> 1);
    this.#stemOf(this.#counter);
  }

  #draw(): number {
    return this.#pool[this.#used++]!;
  }
}

/** A number's lowest 12 bits. */
function hex3(number: number): string {
  return HEX_3[number & 4095]!;
}

/** Its lowest 24. */
function hex6(number: number): string {
  return hex3(number >>> 12) + hex3(number);
}
