import type { Emission } from '../emission/emission.js';
import { signal } from '../telemetry/channels.js';
import { BufferFullError } from './buffer.errors.js';

/** Where a buffer's emissions go when they are handed over; a promise holds the commit back. */
export type Outlet = (emissions: readonly Emission[]) => void | Promise<void>;

/**
 * What one unit of work has emitted, until it is committed or terminated.
 *
 * ```
 *   open ──commit──▶ committing ──handed over──▶ committed
 *     │                  └───────refused───────▶ terminated
 *     └──terminate─────────────────────────────▶ terminated
 * ```
 *
 * A savepoint (a nested `run`) is a buffer within a buffer: all share one list, so that emissions stay in the order they
 * were emitted, also when branches run side by side. Committing a savepoint joins what it emitted to the buffer around it;
 * terminating it takes that out of the list.
 */
export class EmissionBuffer {
  readonly #root: EmissionBuffer;
  readonly #parent: EmissionBuffer | undefined;
  readonly #outlet: Outlet;
  readonly #capacity: number;
  #state: 'open' | 'committing' | 'committed' | 'terminated' = 'open';
  /** The root's: everything emitted, in order. */
  #emissions: Emission[] = [];
  /** The root's: who emitted each, kept only once there has been a savepoint. */
  #owners: EmissionBuffer[] | undefined;

  /** Begins a buffer of its own; `savepoint()` begins one within it. */
  constructor(outlet: Outlet, capacity: number, parent?: EmissionBuffer) {
    this.#outlet = outlet;
    this.#capacity = capacity;
    this.#parent = parent;
    this.#root = parent === undefined ? this : parent.#root;
    if (parent === undefined) signal('emissions:buffer:started', () => ({ count: 1 }));
  }

  get state(): 'open' | 'committing' | 'committed' | 'terminated' {
    return this.#state;
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  /** What would be handed over by a commit now. */
  get emissions(): readonly Emission[] {
    return this.#root.#emissions.filter((_, i) => this.#root.#ownerOf(i) === this);
  }

  get size(): number {
    return this.#root.#owners === undefined ? this.#root.#emissions.length : this.emissions.length;
  }

  /** A buffer within this one. */
  savepoint(): EmissionBuffer {
    const root = this.#root;
    root.#owners ??= root.#emissions.map(() => root);
    return new EmissionBuffer(this.#outlet, this.#capacity, this);
  }

  /** @throws BufferFullError when it holds as many as it may; that is signalled, and what it holds stays */
  add(emission: Emission): void {
    const root = this.#root;
    if (root.#emissions.length >= this.#capacity) {
      signal('emissions:emission:dropped', () => ({
        reason: 'buffer-full',
        emission: emission.name,
        count: 1,
      }));
      throw new BufferFullError(this.#capacity);
    }
    root.#emissions.push(emission);
    root.#owners?.push(this);
  }

  /** Hands over what it holds and stays open; what could not be handed over stays in it, in its place. */
  flush(): number | Promise<number> {
    const taken = this.#take();
    return this.#handOver(taken, 'emissions:buffer:flushed', (error) => {
      this.#putBack(taken);
      throw error;
    });
  }

  /** Hands over what it holds (a savepoint: joins it to the buffer around it) and closes. A refusal discards it. */
  commit(): number | Promise<number> {
    if (this.#parent !== undefined) return this.#join();
    this.#state = 'committing';
    const taken = this.#take();
    return this.#handOver(taken, 'emissions:buffer:committed', (error) => {
      this.#state = 'terminated';
      signal('emissions:buffer:terminated', () => ({
        count: taken.length,
        savepoint: false,
        error,
      }));
      throw error;
    });
  }

  /** Discards what it holds and closes; returns how many that were. Harmless when it is closed. */
  terminate(): number {
    if (this.#state !== 'open') return 0;
    const { length } = this.#take();
    this.#state = 'terminated';
    const savepoint = this.#parent !== undefined;
    if (!savepoint || length > 0)
      signal('emissions:buffer:terminated', () => ({ count: length, savepoint }));
    return length;
  }

  #join(): number {
    if (!this.#parent!.isOpen) {
      // The unit of work around it has ended: nothing can take these any more.
      const late = this.#take();
      this.#state = 'terminated';
      if (late.length > 0) {
        signal('emissions:emission:dropped', () => ({
          reason: 'buffer-closed',
          emission: late[0]!.name,
          count: late.length,
        }));
      }
      return 0;
    }
    const { size } = this;
    this.#state = 'committed';
    return size;
  }

  #handOver(
    taken: readonly Emission[],
    channel: 'emissions:buffer:committed' | 'emissions:buffer:flushed',
    refused: (error: unknown) => never,
  ): number | Promise<number> {
    const started = performance.now();
    const done = (): number => {
      if (this.#state === 'committing') this.#state = 'committed';
      signal(channel, () => ({ count: taken.length, durationMs: performance.now() - started }));
      return taken.length;
    };
    if (taken.length === 0) return done();
    try {
      const waiting = this.#outlet(taken);
      return waiting === undefined ? done() : waiting.then(() => done(), refused);
    } catch (error) {
      return refused(error);
    }
  }

  /** Takes its own emissions, and those of savepoints that joined it, out of the list. */
  #take(): Emission[] {
    const root = this.#root;
    if (root.#owners === undefined) return root.#emissions.splice(0);
    const taken: Emission[] = [];
    const left: Emission[] = [];
    const owners: EmissionBuffer[] = [];
    for (const [i, emission] of root.#emissions.entries()) {
      const owner = root.#ownerOf(i);
      if (owner === this) taken.push(emission);
      else {
        left.push(emission);
        owners.push(owner);
      }
    }
    root.#emissions = left;
    root.#owners = owners;
    return taken;
  }

  /** Puts emissions back where they were: ids grow in the order of emission. */
  #putBack(taken: readonly Emission[]): void {
    const root = this.#root;
    const all = [
      ...taken.map((emission) => ({ emission, owner: this as EmissionBuffer })),
      ...root.#emissions.map((emission, i) => ({ emission, owner: root.#ownerOf(i) })),
    ].sort((a, b) => (a.emission.id < b.emission.id ? -1 : 1));
    root.#emissions = all.map(({ emission }) => emission);
    if (root.#owners !== undefined) root.#owners = all.map(({ owner }) => owner);
  }

  /** A savepoint that joined gave its emissions to the buffer around it. */
  #ownerOf(i: number): EmissionBuffer {
    let owner = this.#owners?.[i] ?? this;
    while (owner.#state === 'committed' && owner.#parent !== undefined) owner = owner.#parent;
    return owner;
  }
}
