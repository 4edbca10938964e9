const FIRST_SIZE = 16;

/** A first-in-first-out queue: a ring of references that doubles when it is full and is given up when it is empty. */
export class Queue<T> {
  #ring: (T | undefined)[] = [];
  #head = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(item: T): void {
    if (this.#length === this.#ring.length) this.#grow();
    this.#ring[(this.#head + this.#length++) & (this.#ring.length - 1)] = item;
  }

  /** The oldest item; look at `length` first. */
  shift(): T {
    const item = this.#ring[this.#head] as T;
    this.#ring[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#ring.length - 1);
    if (--this.#length === 0 && this.#ring.length > FIRST_SIZE * 64) this.clear();
    return item;
  }

  /** The oldest item, in exchange for a new one; look at `length` first. */
  swap(item: T): T {
    const mask = this.#ring.length - 1;
    const oldest = this.#ring[this.#head] as T;
    this.#ring[this.#head] = undefined;
    this.#ring[(this.#head + this.#length) & mask] = item;
    this.#head = (this.#head + 1) & mask;
    return oldest;
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
    return this.#length === 0 ? undefined : this.#ring[this.#head];
  }

  clear(): void {
    this.#ring = [];
    this.#head = 0;
    this.#length = 0;
  }

  #grow(): void {
    const size = this.#ring.length === 0 ? FIRST_SIZE : this.#ring.length * 2;
    const ring: (T | undefined)[] = Array.from({ length: size });
    for (let i = 0; i < this.#length; i++)
      ring[i] = this.#ring[(this.#head + i) % this.#ring.length];
    this.#ring = ring;
    this.#head = 0;
  }
}
