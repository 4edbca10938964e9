const FIRST_SIZE = 16;
const MOST_SIZE = 512;

/** Slots that are used once, from the first to the last. */
interface Stretch<T> {
  readonly slots: (T | undefined)[];
  /** The one behind it; what is in there came later. */
  next: Stretch<T> | undefined;
}

/** Where all stand that have never had anything. */
const NONE: Stretch<never> = Object.freeze({
  slots: Object.freeze<never[]>([]) as never[],
  next: undefined,
});

/**
 * A first-in-first-out queue of references.
 *
 * It stands on stretches of slots that are used once, and leaves them behind: nothing is copied when it grows (a ring of a million takes
 * 40 ms for that), and of a burst that is over one stretch at most is kept.
 */
export class Queue<T> {
  #first: Stretch<T> = NONE;
  #last: Stretch<T> = NONE;
  /** The slot of the oldest item in the first stretch, and the next free one in the last. */
  #head = 0;
  #tail = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(item: T): void {
    if (this.#tail === this.#last.slots.length) this.#extend();
    this.#last.slots[this.#tail++] = item;
    this.#length++;
  }

  /** The oldest item; look at `length` first. */
  shift(): T {
    const { slots } = this.#first;
    const item = slots[this.#head] as T;
    slots[this.#head++] = undefined;
    this.#length--;
    if (this.#head === slots.length) this.#leave();
    return item;
  }

  /** The oldest item, in exchange for a new one; look at `length` first. */
  swap(item: T): T {
    this.push(item);
    return this.shift();
  }

  /** Takes out all that `gone` says, and gives them back in order. */
  remove(gone: (item: T) => boolean): T[] {
    const removed: T[] = [];
    for (let left = this.#length; left > 0; left--) {
      const item = this.shift();
      if (gone(item)) removed.push(item);
      else this.push(item);
    }
    return removed;
  }

  peek(): T | undefined {
    return this.#length === 0 ? undefined : this.#first.slots[this.#head];
  }

  clear(): void {
    this.#first = this.#last = NONE;
    this.#head = 0;
    this.#tail = 0;
    this.#length = 0;
  }

  #extend(): void {
    const isEmpty = this.#length === 0;
    const size = isEmpty ? FIRST_SIZE : Math.min(this.#last.slots.length * 2, MOST_SIZE);
    // oxlint-disable-next-line unicorn/no-new-array -- `Array.from` would write into each slot
    const last = { slots: new Array<T | undefined>(size), next: undefined };
    if (isEmpty) {
      this.#first = last;
      this.#head = 0;
    } else this.#last.next = last;
    this.#last = last;
    this.#tail = 0;
  }

  /** Goes on to the next stretch, once there is one. */
  #leave(): void {
    const { next } = this.#first;
    if (next === undefined) return;
    // One that has become old would keep the next from being collected, and that the one behind it, until all is looked through.
    this.#first.next = undefined;
    this.#first = next;
    this.#head = 0;
  }
}
