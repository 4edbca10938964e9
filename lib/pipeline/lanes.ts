import type { Emission } from '../emission/emission.js';
import { Queue } from './queue.js';

/**
 * Keeps emissions of one key one behind another while several batches run at once.
 *
 * A key that is in a running batch is busy; what comes for it meanwhile is parked in its lane. When the batch is over, the
 * lane is served before anything that came later; an empty lane disappears, so that memory follows what is pending, not
 * how many keys there ever were.
 */
export class Lanes {
  readonly #parked = new Map<string, Queue<Emission>>();
  readonly #ready = new Queue<string>();
  #count = 0;

  /** How many emissions are parked. */
  get length(): number {
    return this.#count;
  }

  /** Whether a lane may go on. */
  get ready(): boolean {
    return this.#ready.length > 0;
  }

  /** Whether something of this key is on its way. */
  isBusy(key: string): boolean {
    return this.#parked.has(key);
  }

  /** Parks an emission behind its key when that is busy; else its key is busy from now on, and it may go. */
  admit(emission: Emission & { key: string }): boolean {
    const lane = this.#parked.get(emission.key);
    if (lane === undefined) {
      this.#parked.set(emission.key, new Queue());
      return true;
    }
    lane.push(emission);
    this.#count++;
    return false;
  }

  /** Takes up to `most` emissions from the lane that has been ready for longest; that may have none left. */
  take(most: number, into: Emission[]): string {
    const key = this.#ready.shift();
    const lane = this.#parked.get(key)!;
    for (let i = Math.min(most, lane.length); i > 0; i--) {
      into.push(lane.shift());
      this.#count--;
    }
    return key;
  }

  /** The batch that held this key is over. */
  release(key: string): void {
    if (this.#parked.get(key)!.length > 0) this.#ready.push(key);
    else this.#parked.delete(key);
  }

  /** The oldest emission that is parked; look at `length` first. */
  peek(): Emission {
    return this.#oldest().peek()!;
  }

  /** Takes the oldest emission out, to give it up; look at `length` first. */
  shed(): Emission {
    this.#count--;
    return this.#oldest().shift();
  }

  /** Takes out all parked emissions that `gone` says. */
  remove(gone: (emission: Emission) => boolean): Emission[] {
    const removed = [...this.#parked.values()].flatMap((lane) => lane.remove(gone));
    this.#count -= removed.length;
    return removed;
  }

  clear(): void {
    this.#parked.clear();
    this.#ready.clear();
    this.#count = 0;
  }

  /** Looks at every lane: there are about as many as emissions in running batches, and this is for an emergency. */
  #oldest(): Queue<Emission> {
    let oldest: Queue<Emission> | undefined;
    for (const lane of this.#parked.values()) {
      const head = lane.peek();
      // Ids grow in the order of emission.
      if (head !== undefined && (oldest === undefined || head.id < oldest.peek()!.id))
        oldest = lane;
    }
    return oldest!;
  }
}
