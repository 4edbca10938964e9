import type { RecordedEntry } from './channel-history.js';

/** How much is kept. */
export interface HistoryBounds {
  /** How many entries of one tenant. */
  readonly size: number;
  /** For how long, in milliseconds. */
  readonly maxAgeMs: number;
}

/** For how many channels it is remembered when something was last forgotten. */
const REMEMBERED_CHANNELS = 10_000;

const NOTHING: RecordedEntry = { offset: 0, channels: [], body: undefined };

/**
 * The last entries of one tenant, one behind another without a hole. Knows of each channel whether it has forgotten something
 * of it, so that one where nothing happens stays recoverable beside one where much does.
 */
export class RecentEntries {
  /** The newest offset there was. */
  head: number;
  #entries: RecordedEntry[] = [];
  #times: number[] = [];
  #start = 0;
  /** The newest that was forgotten of each channel; of those that are not in it, at most `#blind`. */
  readonly #forgotten = new Map<string, number>();
  #blind: number;

  /** Begins behind an offset; what was before is unknown. */
  constructor(
    after: number,
    private readonly bounds: HistoryBounds,
  ) {
    this.head = after;
    this.#blind = after;
  }

  get size(): number {
    return this.#entries.length - this.#start;
  }

  push(entry: RecordedEntry, now: number): void {
    this.head = entry.offset;
    this.#entries.push(entry);
    this.#times.push(now);
    if (this.size > this.bounds.size) this.#forget();
  }

  /** What a channel carried behind an offset; `undefined` when some of it is forgotten. */
  since(channel: string, after: number): RecordedEntry[] | undefined {
    if (after > this.head || after < (this.#forgotten.get(channel) ?? this.#blind))
      return undefined;
    const first = Math.max(this.#start, this.#entries.length - (this.head - after));
    const found: RecordedEntry[] = [];
    for (let i = first; i < this.#entries.length; i++) {
      const entry = this.#entries[i]!;
      if (entry.channels.includes(channel)) found.push(entry);
    }
    return found;
  }

  /** Forgets what is older than it may be. */
  expire(now: number): void {
    const oldest = now - this.bounds.maxAgeMs;
    while (this.size > 0 && this.#times[this.#start]! < oldest) this.#forget();
  }

  #forget(): void {
    const { channels, offset } = this.#entries[this.#start]!;
    for (const channel of channels) {
      this.#forgotten.delete(channel);
      this.#forgotten.set(channel, offset);
    }
    while (this.#forgotten.size > REMEMBERED_CHANNELS) {
      const [channel, last] = this.#forgotten.entries().next().value!;
      this.#forgotten.delete(channel);
      this.#blind = Math.max(this.#blind, last);
    }
    // What is forgotten must not be held until the array is moved.
    this.#entries[this.#start++] = NOTHING;
    // Taking from the front of an array moves all the others: done for many at once.
    if (this.#start < 64 || this.#start * 2 < this.#entries.length) return;
    this.#entries = this.#entries.slice(this.#start);
    this.#times = this.#times.slice(this.#start);
    this.#start = 0;
  }
}
