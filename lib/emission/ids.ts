import { randomFillSync } from 'node:crypto';

const HEX_3 = Array.from({ length: 4096 }, (_, n) => n.toString(16).padStart(3, '0'));
const COUNTER_MAX = 0xff_ff_ff;
const POOLED_SEEDS = 128;
const SEED_BYTES = 11;

/**
 * Makes UUIDv7 identifiers (RFC 9562) that grow strictly within a process.
 *
 * A millisecond's first id takes 73 fresh random bits, the ones after it count up from there (RFC 9562 §6.2, method 2), so
 * that the text before the last six digits is made once a millisecond, and an id costs two look-ups. Randomness comes
 * from the operating system, in pools. When the clock is set back, or a millisecond is used up, ids go on from the last
 * millisecond instead of repeating.
 */
export class Ids {
  readonly #pool = new Uint8Array(POOLED_SEEDS * SEED_BYTES);
  #used = this.#pool.length;
  #millisecond = 0;
  #prefix = '';
  #counter = COUNTER_MAX;

  /** The next id, for something that happened at `time` (epoch milliseconds). */
  next(time: number): string {
    const millisecond = Math.floor(time);
    if (millisecond > this.#millisecond) this.#seed(millisecond);
    else if (this.#counter === COUNTER_MAX) this.#seed(this.#millisecond + 1);
    const counter = ++this.#counter;
    // The digits first: they are short enough to be copied, so that the id is two pieces of text instead of three.
    return this.#prefix + (HEX_3[counter >>> 12]! + HEX_3[counter & 4095]!);
  }

  #seed(millisecond: number): void {
    if (this.#used === this.#pool.length) {
      randomFillSync(this.#pool);
      this.#used = 0;
    }
    const at = this.#used;
    this.#used += SEED_BYTES;
    const bytes = this.#pool.subarray(at, this.#used);
    const hex = (from: number, to: number): string => {
      let text = '';
      for (let i = from; i < to; i++) text += bytes[i]!.toString(16).padStart(2, '0');
      return text;
    };
    const time = millisecond.toString(16).padStart(12, '0');
    const variant = (8 | (bytes[9]! & 3)).toString(16);
    this.#millisecond = millisecond;
    this.#prefix = `${time.slice(0, 8)}-${time.slice(8)}-7${hex(0, 2).slice(1)}-${variant}${hex(2, 4).slice(1)}-${hex(4, 7)}`;
    // Half the range at most, so that a millisecond has room for at least eight million ids.
    this.#counter = ((bytes[7]! & 0x7f) << 16) | (bytes[8]! << 8) | bytes[10]!;
  }
}
