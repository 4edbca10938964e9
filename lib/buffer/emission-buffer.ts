import type { Emission } from '../emission/emission.js';
import { hasListeners, signal } from '../telemetry/signal.js';
import { BufferClosedError, BufferFullError, BufferNotStartedError } from './buffer.errors.js';
import { EmissionList } from './emission-list.js';

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
 * terminating it takes that out of the list. When the buffer around it has ended, a savepoint takes nothing more.
 *
 * Hand-overs that have to wait go one behind another, so that a flush in progress is over, or back in the list, before what
 * was emitted after it leaves.
 */
export class EmissionBuffer {
  readonly #outlet: Outlet;
  readonly #capacity: number;
  readonly #parent: EmissionBuffer | undefined;
  readonly #root: EmissionBuffer;
  readonly #list: EmissionList;
  #state: 'open' | 'committing' | 'committed' | 'terminated' = 'open';
  /** How many emissions in the list are its own, with those of savepoints that joined it. */
  #size = 0;
  /** The root's: the last hand-over that waits. */
  #handingOver: Promise<number> | undefined;

  private constructor(outlet: Outlet, capacity: number, parent?: EmissionBuffer) {
    this.#outlet = outlet;
    this.#capacity = capacity;
    this.#parent = parent;
    this.#root = parent === undefined ? this : parent.#root;
    this.#list = parent === undefined ? new EmissionList() : parent.#list;
  }

  /** Begins a buffer of its own; `savepoint()` begins one within it. */
  static begin(outlet: Outlet, capacity: number): EmissionBuffer {
    signal('emissions:buffer:started', one);
    return new EmissionBuffer(outlet, capacity);
  }

  /** One that never took anything, to stand where a buffer has been. */
  static ended(
    state: 'committed' | 'terminated',
    outlet: Outlet,
    capacity: number,
  ): EmissionBuffer {
    const buffer = new EmissionBuffer(outlet, capacity);
    buffer.#state = state;
    return buffer;
  }

  /** Where it stands; the diagram above shows what follows what. */
  get state(): 'open' | 'committing' | 'committed' | 'terminated' {
    return this.#state;
  }

  /** Whether it takes emissions: it has not ended, and neither has a buffer around it. */
  get isOpen(): boolean {
    return this.#state === 'open' && (this.#parent === undefined || this.#parent.isOpen);
  }

  /** Whether what it held has left for good: it and all buffers around it are committed. */
  get isDelivered(): boolean {
    return this.#state === 'committed' && (this.#parent === undefined || this.#parent.isDelivered);
  }

  /** Whose its emissions are: its own or, once it has joined the buffer around it, that one's. */
  get heir(): EmissionBuffer {
    return this.#state === 'committed' && this.#parent !== undefined ? this.#parent.heir : this;
  }

  /** What would be handed over by a commit now. */
  get emissions(): readonly Emission[] {
    return this.#list.of(this);
  }

  /** How many emissions a commit would hand over now. */
  get size(): number {
    return this.#size;
  }

  /** What it waits for while it hands over. */
  get handingOver(): Promise<void> | undefined {
    return this.#root.#handingOver?.then(() => {});
  }

  /** A buffer within this one. */
  savepoint(): EmissionBuffer {
    this.#list.distinguish(this.#root);
    return new EmissionBuffer(this.#outlet, this.#capacity, this);
  }

  /** A buffer to follow this one, which has ended: where it stood, if what is around it is still open. */
  successor(): EmissionBuffer {
    if (this.#state === 'open' && this.#parent !== undefined) this.#join(this.#parent);
    return this.#parent?.isOpen === true
      ? this.#parent.savepoint()
      : EmissionBuffer.begin(this.#outlet, this.#capacity);
  }

  /**
   * Puts an emission behind those it holds.
   *
   * @throws BufferFullError when it holds as many as it may; that is signalled, and what it holds stays
   * @throws BufferClosedError when it has ended
   */
  add(emission: Emission): void {
    if (!this.isOpen || this.#list.length >= this.#capacity) this.#refuse(emission);
    this.#list.push(emission, this);
    this.#size++;
  }

  #refuse({ name }: Emission): never {
    if (!this.isOpen) throw new BufferClosedError(name, this.#state);
    signal('emissions:emission:dropped', () => ({
      reason: 'buffer-full',
      emission: name,
      count: 1,
    }));
    throw new BufferFullError(this.#capacity);
  }

  /**
   * Hands over what it holds and stays open; what could not be handed over stays in it, in its place.
   *
   * @throws BufferNotStartedError when it has ended
   */
  flush(): number | Promise<number> {
    if (!this.isOpen) throw new BufferNotStartedError('flush()', this.#state);
    return this.#inTurn('emissions:buffer:flushed');
  }

  /**
   * Hands over what it holds (a savepoint: joins it to the buffer around it) and closes. A refusal discards it.
   *
   * @throws BufferNotStartedError when it has ended
   */
  commit(): number | Promise<number> {
    if (this.#state !== 'open') throw new BufferNotStartedError('commit()', this.#state);
    if (this.#parent !== undefined) return this.#join(this.#parent);
    this.#state = 'committing';
    return this.#inTurn('emissions:buffer:committed');
  }

  /** Discards what it holds and closes; returns how many that were. Harmless when it is closed. */
  terminate(): number {
    if (this.#state !== 'open') return 0;
    const { length } = this.#take();
    this.#state = 'terminated';
    this.#discarded(length);
    return length;
  }

  #join(parent: EmissionBuffer): number {
    if (!parent.isOpen) {
      // The unit of work around it has ended: nothing can take these any more.
      const late = this.#take();
      this.#state = 'terminated';
      dropped(late);
      return 0;
    }
    const size = this.#size;
    this.#state = 'committed';
    this.#size = 0;
    parent.#size += size;
    return size;
  }

  #take(): readonly Emission[] {
    const taken = this.#list.take(this, this.#size);
    this.#size = 0;
    return taken;
  }

  /** What a flush could not hand over is whose it was before, unless that has ended meanwhile. */
  #putBack(taken: readonly Emission[]): void {
    const { heir } = this;
    if (heir.#state === 'terminated') return dropped(taken);
    this.#list.putBack(taken, heir);
    heir.#size += taken.length;
  }

  #discarded(count: number, error?: unknown): void {
    const savepoint = this.#parent !== undefined;
    if (savepoint && count === 0) return;
    signal('emissions:buffer:terminated', () => ({
      count,
      savepoint,
      ...(error !== undefined && { error }),
    }));
  }

  /** Hands over now or, while a hand-over of the same unit of work waits, when that is over. */
  #inTurn(channel: HandOverChannel): number | Promise<number> {
    const before = this.#root.#handingOver;
    const result = before === undefined ? this.#handOver(channel) : this.#after(before, channel);
    return typeof result === 'number' ? result : this.#waitFor(result);
  }

  #after(before: Promise<number>, channel: HandOverChannel): Promise<number> {
    const handOver = (): number | Promise<number> => this.#handOver(channel);
    return before.then(handOver, handOver);
  }

  #waitFor(handingOver: Promise<number>): Promise<number> {
    const root = this.#root;
    root.#handingOver = handingOver;
    const over = (): void => {
      if (root.#handingOver === handingOver) root.#handingOver = undefined;
    };
    handingOver.then(over, over);
    return handingOver;
  }

  #handOver(channel: HandOverChannel): number | Promise<number> {
    const started = hasListeners(channel) ? performance.now() : UNHEARD;
    const taken = this.#take();
    if (taken.length === 0) return this.#handedOver(channel, 0, started);
    try {
      const waiting = this.#outlet(taken);
      if (waiting === undefined) return this.#handedOver(channel, taken.length, started);
      return this.#handedOverLater(waiting, channel, taken, started);
    } catch (error) {
      return this.#refused(channel, taken, error);
    }
  }

  #handedOverLater(
    waiting: Promise<void>,
    channel: HandOverChannel,
    taken: readonly Emission[],
    started: number,
  ): Promise<number> {
    return waiting.then(
      () => this.#handedOver(channel, taken.length, started),
      (error: unknown) => this.#refused(channel, taken, error),
    );
  }

  #handedOver(channel: HandOverChannel, count: number, started: number): number {
    if (channel === 'emissions:buffer:committed') this.#state = 'committed';
    if (started !== UNHEARD) signalHandedOver(channel, count, performance.now() - started);
    return count;
  }

  /** What a flush could not hand over stays; a commit that is refused discards it. */
  #refused(channel: HandOverChannel, taken: readonly Emission[], error: unknown): never {
    if (channel === 'emissions:buffer:flushed') this.#putBack(taken);
    else {
      this.#state = 'terminated';
      this.#discarded(taken.length, error);
    }
    throw error;
  }
}

const one = (): { count: 1 } => ({ count: 1 });

/** In the place of when a hand-over began, when nobody listens. */
const UNHEARD = -1;

type HandOverChannel = 'emissions:buffer:committed' | 'emissions:buffer:flushed';

function signalHandedOver(channel: HandOverChannel, count: number, durationMs: number): void {
  signal(channel, () => ({ count, durationMs }));
}

function dropped(late: readonly Emission[]): void {
  const [first] = late;
  if (first === undefined) return;
  signal('emissions:emission:dropped', () => ({
    reason: 'buffer-closed',
    emission: first.name,
    count: late.length,
  }));
}
