import type { Claim, DeliveryQueue, FailedClaim } from '../delivery/delivery.js';
import type { DeliveryStore } from '../delivery/delivery.store.js';

/** What a lane asks and tells its dispatcher. */
export interface LaneHost {
  /** How many more deliveries it may hold; 0 when it has enough. */
  room(held: number): number;
  /** There is something to begin. */
  arrived(): void;
  /** These were settled as wished. */
  completed(claims: readonly Claim[]): void;
  failed(failed: readonly FailedClaim[]): void;
  /** These belong to somebody else by now. */
  lost(claims: readonly Claim[]): void;
  /** The database did not answer; it is asked again. */
  troubled(error: unknown): void;
}

interface Shift {
  isOver: boolean;
}

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;
const MOST_AT_ONCE = 1_000;

/**
 * Works one queue: holds claims from when they are taken until they are settled.
 *
 * ```
 *   stored ──claim──▶ ready ──take──▶ begun ──complete / fail──▶ settling ──▶ gone
 *                       └───release───────────────────────────────────────────▶
 * ```
 *
 * What is settled goes in batches, one behind another, while more is worked on. A wake-up is never lost: one that comes while
 * claims are being taken makes it look once more.
 */
export class Lane {
  readonly queue: DeliveryQueue;
  readonly ready: Claim[] = [];
  /** What a transaction is completing: a sign of life that no longer finds it says nothing. */
  readonly leaving: Set<Claim> = new Set<Claim>();
  readonly #store: DeliveryStore;
  readonly #host: LaneHost;
  readonly #held = new Set<Claim>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #completed: Claim[] = [];
  #failed: FailedClaim[] = [];
  #settling: Promise<void> | undefined;
  /** What is on its way. */
  #inSettlement: readonly Claim[] = [];
  #awake = true;
  /** From a start to its stop. */
  #shift: Shift = { isOver: true };
  #poked: (() => void) | undefined;
  #loop: Promise<void> = Promise.resolve();

  constructor(queue: DeliveryQueue, store: DeliveryStore, host: LaneHost) {
    this.queue = queue;
    this.#store = store;
    this.#host = host;
  }

  /** How many it holds. */
  get held(): number {
    return this.#held.size;
  }

  /** Whether what is at work holds others back. */
  get #holdsBack(): boolean {
    return this.queue.isKeyed || this.queue.tenantConcurrency !== undefined;
  }

  start(): void {
    if (!this.#shift.isOver) return;
    const shift = (this.#shift = { isOver: false });
    this.#awake = true;
    this.#loop = this.#loop.then(() => this.#claimAll(shift));
  }

  /** There may be something to claim. */
  wake(): void {
    this.#awake = true;
    this.poke();
  }

  /** There may be room. */
  poke(): void {
    this.#poked?.();
  }

  /** Stops claiming, and gives back what was not begun; it may be started again before that is done. */
  async stop(): Promise<void> {
    this.#shift.isOver = true;
    const loop = this.#loop;
    this.poke();
    await loop;
    await this.release(this.ready.splice(0), 0);
  }

  /** Resolves when everything begun is settled. */
  async settled(): Promise<void> {
    while (this.#settling !== undefined) {
      // oxlint-disable-next-line no-await-in-loop -- settling may go on with what came meanwhile
      await this.#settling;
    }
  }

  /** Tries to settle no longer. */
  close(): void {
    this.#shift.isOver = true;
    this.#completed = [];
    this.#failed = [];
    this.#held.clear();
    for (const timer of this.#timers) clearTimeout(timer);
  }

  complete(claim: Claim): void {
    this.#completed.push(claim);
    this.#settle();
  }

  fail(failed: FailedClaim): void {
    this.#failed.push(failed);
    this.#settle();
  }

  /** Somebody else has settled it, in a transaction. */
  forget(claim: Claim): void {
    this.#held.delete(claim);
    if (this.#holdsBack) this.wake();
    else this.poke();
  }

  /** Gives back what was not begun, or cannot be here. */
  async release(claims: readonly Claim[], delayMs: number): Promise<void> {
    if (claims.length === 0) return;
    try {
      await this.#store.release(this.queue.name, claims, delayMs);
    } catch (error) {
      // They are given to others when this one was silent about them for long enough.
      this.#host.troubled(error);
    }
    for (const claim of claims) this.#held.delete(claim);
    if (delayMs === 0) this.wake();
    else this.poke();
  }

  /** Says that what it holds is being worked on, and finds out what it holds no longer. */
  async beat(): Promise<void> {
    const held = [...this.#held];
    if (held.length === 0) return;
    const kept = await this.#store.touch(this.queue.name, held);
    const lost = held.filter((claim) => !kept.has(claim.id) && this.#held.has(claim));
    // What was settled meanwhile is not lost.
    const settling = new Set<Claim>([...this.#inSettlement, ...this.leaving]);
    this.#lose(lost.filter((claim) => !settling.has(claim)));
  }

  /** Looks again when something is due that it knows of. */
  #wakeIn(delayMs: number): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.wake();
    }, delayMs);
    timer.unref();
    this.#timers.add(timer);
  }

  async #claimAll(shift: Shift): Promise<void> {
    let pauseMs = FIRST_PAUSE_MS;
    while (!shift.isOver) {
      const room = this.#host.room(this.held);
      if (room === 0 || !this.#awake) {
        // oxlint-disable-next-line no-await-in-loop -- it is a loop of waiting
        await this.#rest();
        continue;
      }
      this.#awake = false;
      try {
        // oxlint-disable-next-line no-await-in-loop
        const claims = await this.#store.claim(this.queue, Math.min(room, MOST_AT_ONCE));
        pauseMs = FIRST_PAUSE_MS;
        if (claims.length >= Math.min(room, MOST_AT_ONCE)) this.#awake = true;
        for (const claim of claims) this.#held.add(claim);
        this.ready.push(...claims);
        if (claims.length > 0) this.#host.arrived();
      } catch (error) {
        this.#host.troubled(error);
        this.#awake = true;
        // oxlint-disable-next-line no-await-in-loop
        await this.#rest(pauseMs);
        pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
      }
    }
  }

  /** Until there is something to do, or the time is over. */
  async #rest(atMostMs?: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = atMostMs === undefined ? undefined : setTimeout(resolve, atMostMs);
    if (atMostMs === undefined) this.#poked = resolve;
    await promise;
    clearTimeout(timer);
    this.#poked = undefined;
  }

  #settle(): void {
    this.#settling ??= this.#settleAll().finally(() => {
      this.#settling = undefined;
      // What came in the very moment it ended.
      if (this.#completed.length + this.#failed.length > 0) this.#settle();
    });
  }

  async #settleAll(): Promise<void> {
    let pauseMs = FIRST_PAUSE_MS;
    // What ends in the same turn goes together.
    await Promise.resolve();
    while (this.#completed.length + this.#failed.length > 0) {
      const completed = this.#completed.splice(0, MOST_AT_ONCE);
      const failed = this.#failed.splice(0, MOST_AT_ONCE);
      this.#inSettlement = [...completed, ...failed.map(({ claim }) => claim)];
      try {
        // oxlint-disable-next-line no-await-in-loop -- one behind another
        await this.#settleSome(completed, failed);
        pauseMs = FIRST_PAUSE_MS;
      } catch (error) {
        this.#host.troubled(error);
        this.#completed.unshift(...completed.filter((claim) => this.#held.has(claim)));
        this.#failed.unshift(...failed.filter(({ claim }) => this.#held.has(claim)));
        // oxlint-disable-next-line no-await-in-loop
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
        pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
      }
      this.#inSettlement = [...this.#completed, ...this.#failed.map(({ claim }) => claim)];
    }
    this.#inSettlement = [];
  }

  async #settleSome(completed: readonly Claim[], failed: readonly FailedClaim[]): Promise<void> {
    if (completed.length > 0) {
      const kept = await this.#store.complete(this.queue.name, completed);
      this.#host.completed(completed.filter(({ id }) => kept.has(id)));
      this.#lose(completed.filter(({ id }) => !kept.has(id)));
      for (const claim of completed) this.#held.delete(claim);
    }
    if (failed.length > 0) {
      const kept = await this.#store.fail(this.queue, failed);
      const ours = failed.filter(({ claim }) => kept.has(claim.id));
      this.#lose(failed.filter((each) => !ours.includes(each)).map(({ claim }) => claim));
      for (const { claim, delayMs } of failed) {
        this.#held.delete(claim);
        if (delayMs !== undefined) this.#wakeIn(delayMs);
      }
      this.#host.failed(ours);
    }
    // The next of a key, or of a tenant, was waiting for this.
    if (this.#holdsBack) this.wake();
    else this.poke();
  }

  #lose(claims: readonly Claim[]): void {
    if (claims.length === 0) return;
    for (const claim of claims) {
      this.#held.delete(claim);
      const at = this.ready.indexOf(claim);
      if (at >= 0) this.ready.splice(at, 1);
    }
    this.#host.lost(claims);
    this.poke();
  }
}
