import type { Emission } from '../emission/emission.js';
import { Lanes } from './lanes.js';
import { Queue } from './queue.js';

/** What one call is to deliver, and the keys that are busy with it. */
export interface Batch {
  /** Empty when all there is waits for a busy key. */
  readonly emissions: readonly Emission[];
  /** `undefined` of a consumer whose calls never run side by side. */
  readonly keys: ReadonlySet<string> | undefined;
}

/** What waits to be delivered by one consumer: queued, or, where several calls run at once, parked behind a busy key. */
export class Backlog {
  readonly #queue = new Queue<Emission>();
  readonly #lanes: Lanes | undefined;
  #length = 0;

  constructor(concurrency: number) {
    this.#lanes = concurrency > 1 ? new Lanes() : undefined;
  }

  get length(): number {
    return this.#length;
  }

  /** How many have not been looked at yet: those that are parked have. */
  get queued(): number {
    return this.#queue.length;
  }

  /** Whether something that waited for a key may go. */
  get ready(): boolean {
    return this.#lanes?.ready === true;
  }

  push(emission: Emission): void {
    this.#length++;
    this.#queue.push(emission);
  }

  /** The next batch, of up to `most`: what waited for a key goes before what came after it. */
  take(most: number): Batch {
    const batch = this.#take(most);
    this.#length -= batch.emissions.length;
    return batch;
  }

  #take(most: number): Batch {
    const lanes = this.#lanes;
    const emissions: Emission[] = [];
    if (lanes === undefined) {
      while (emissions.length < most && this.#queue.length > 0) emissions.push(this.#queue.shift());
      return { emissions, keys: undefined };
    }
    const keys = new Set<string>();
    while (emissions.length < most && lanes.ready) {
      keys.add(lanes.take(most - emissions.length, emissions));
    }
    while (emissions.length < most && this.#queue.length > 0) {
      const emission = this.#queue.shift();
      const { key } = emission;
      if (key === undefined || keys.has(key)) emissions.push(emission);
      else if (lanes.admit(emission as Emission & { key: string })) {
        keys.add(key);
        emissions.push(emission);
      }
    }
    return { emissions, keys };
  }

  /** Whether an emission of this key would have to wait for another one's call. */
  isBusy(key: string): boolean {
    return this.#lanes?.isBusy(key) === true;
  }

  /** An emission that was never queued is being delivered: its key, which was free, is busy. */
  occupy(emission: Emission): ReadonlySet<string> | undefined {
    const { key } = emission;
    if (key === undefined || this.#lanes === undefined) return undefined;
    this.#lanes.admit(emission as Emission & { key: string });
    return new Set([key]);
  }

  /** The batch that these keys were busy with is over. */
  release(keys: ReadonlySet<string>): void {
    for (const key of keys) this.#lanes!.release(key);
  }

  /** The oldest: what is parked came before what is queued. */
  peek(): Emission | undefined {
    return this.#lanes?.length ? this.#lanes.peek() : this.#queue.peek();
  }

  /** Takes the oldest out, to give it up for a new one; look at `length` first. */
  swap(emission: Emission): Emission {
    if (!this.#lanes?.length) return this.#queue.swap(emission);
    this.#queue.push(emission);
    return this.#lanes.shed();
  }

  /** Takes out all that `gone` says. */
  remove(gone: (emission: Emission) => boolean): readonly Emission[] {
    const removed = [...(this.#lanes?.remove(gone) ?? []), ...this.#queue.remove(gone)];
    this.#length -= removed.length;
    return removed;
  }

  clear(): void {
    this.#queue.clear();
    this.#lanes?.clear();
    this.#length = 0;
  }
}
