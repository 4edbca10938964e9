// Not the global one: a test that stops the clock does not mean to stop deliveries.
import { performance } from 'node:perf_hooks';
import type { Clock } from '../emission/clock.js';
import type { Destination, UnitSlot } from '../emission/destination.js';
import { isExpired, type Emission } from '../emission/emission.js';
import { isInterested } from '../emission/interest.js';
import { Backlog } from './backlog.js';
import { Calls, type Caller } from './calls.js';
import { ASKED, ConsumerReport } from './consumer.report.js';
import { Expiry, expiryOf } from './expiry.js';
import type { Ledger } from './ledger.js';
import type { Runnable } from './turns.js';

/** How many calls that return at once are made before others get their turn. */
const CALLS_PER_TURN = 64;
/** How many milliseconds they may take after the first; asked after 2, 4, 8 … calls, as the clock costs as much as a quick one. */
const A_TURN_MS = 1;

/** What a consumer needs of the pipeline it belongs to. */
export interface ConsumerHost {
  readonly clock: Clock;
  readonly ledger?: Ledger | undefined;
  /** Somebody waits for everything to settle, or the application is closing: batches are not to wait to fill up. */
  readonly hurried: boolean;
  /** Tells consumers of what was accepted for them: one of them is asked how much it has. */
  tell(): void;
  /** So much room of one of them is taken, otherwise than by what it is told of; said before anybody else can commit. */
  took(count: number): void;
  schedule(consumer: Consumer): void;
  /** Whether a consumer that has room for a call again may use it without waiting for its turn. */
  readonly mayGoOn: boolean;
  /** Starts a timer in the context of no request. */
  outside<T>(arm: () => T): T;
  /** There is room again, or nothing left to do. */
  progressed(consumer: Consumer): void;
  /** The consumer took the one emission of its life. */
  retire(consumer: Consumer): void;
}

/**
 * Serves one adapter or handler: its own queue, pace, order and retries, so that it delays nobody and nobody delays it.
 *
 * ```
 *           accept               receive (an idle handler)
 *   (offer) ──────┬──▶ arriving ──────────────────────────────▶ in a call ──▶ gone
 *                 │       │ queue                turn             ▲
 *                 └───────┴───────▶ queued ───────────────────────┘
 *                                    │  ▲
 *                       key is busy  │  │ key is free
 *                                    ▼  │
 *                                   parked
 * ```
 *
 * `pending` counts all of these but the last; it never exceeds `capacity`, save for what was kept while the application
 * started. Room can be promised before, to what is being stored.
 */
export class Consumer implements Runnable, Caller {
  private readonly backlog: Backlog;
  private readonly calls: Calls;
  private readonly report: ConsumerReport;
  /** Whether there is nothing to collect before a call: one emission is a full batch. */
  private readonly singly: boolean;
  /** Whether it waits for a batch to fill up. */
  private readonly waits: boolean;
  private readonly sheds: boolean;
  private readonly shedsOldest: boolean;
  private readonly concurrency: number;
  private readonly capacity: number;
  private readonly once: boolean;
  private offered = 0;
  /** How many are about to arrive; of those it was not told of, what has arrived is missing here. */
  private reserved = 0;
  /** How many fit for certain, less those it was not told of: finding out how many really do takes five times as long. */
  private surelyFit = 0;
  private promised = 0;
  private scheduled = false;
  private atWork = false;
  private overdue = false;
  private waitTimer: NodeJS.Timeout | undefined = undefined;
  private readonly expiry: Expiry;
  private closed: 'removed' | 'shutdown' | undefined = undefined;
  private spent = false;
  private idle: (() => void) | undefined = undefined;
  /** It is open, takes emissions singly, and nothing is queued: finding that out anew is a twenty-fifth of what a call costs. */
  private nothingWaits = false;

  constructor(
    readonly destination: Destination,
    readonly host: ConsumerHost,
  ) {
    const { concurrency, capacity, batchSize, maxWaitMs, overflow } = destination.options;
    this.concurrency = concurrency;
    this.capacity = capacity;
    this.once = destination.once;
    this.waits = maxWaitMs > 0;
    this.sheds = overflow === 'drop-oldest' || overflow === 'drop-newest';
    this.shedsOldest = overflow === 'drop-oldest';
    this.backlog = new Backlog(concurrency);
    this.report = new ConsumerReport(destination, host.ledger);
    this.calls = new Calls(destination, this, this.report);
    this.expiry = new Expiry(host, () => this.expire());
    this.singly = destination.handle !== undefined && batchSize === 1 && maxWaitMs === 0;
  }

  get name(): string {
    return this.destination.name;
  }

  get priority(): number {
    return this.destination.priority;
  }

  get clock(): Clock {
    return this.host.clock;
  }

  /** About to arrive, queued, parked, in a call or waiting to be retried. */
  get pending(): number {
    this.host.tell();
    return this.reserved + this.backlog.length + this.calls.emissions;
  }

  /** How many it is done with, of all it ever got: delivered, given up or shed. */
  get done(): number {
    const { pending } = this;
    return this.offered - pending;
  }

  /** The oldest emission it is not done with. */
  get oldest(): Emission | undefined {
    return this.calls.peek() ?? this.backlog.peek();
  }

  /** How many of its calls have failed since the last that did not. */
  get failures(): number {
    return this.report.failures;
  }

  /** How many more fit. */
  get room(): number {
    return this.capacity - this.pending - this.promised;
  }

  /** Whether all that is accepted for it arrives. */
  get arrives(): boolean {
    return this.singly && !this.once;
  }

  /** Tells by the name alone; a pattern that fails to answer takes nothing, and the failure is signalled. */
  takes(name: string): boolean {
    try {
      return this.destination.matches(name);
    } catch (error) {
      this.report.unmatchable(name, error);
      return false;
    }
  }

  /** Calls back when nothing is pending any more. */
  onIdle(idle: () => void): void {
    this.idle = idle;
  }

  /** Asks the destination whether it wants the emission; one that throws does not get it, and the failure is signalled. */
  wants(emission: Emission): boolean {
    try {
      if (isInterested(this.destination.adapter, emission)) return true;
      this.skip(emission);
      return false;
    } catch (error) {
      this.report.failed('interested', [emission], error, ASKED);
      return false;
    }
  }

  /** The emission is not for it after all. */
  skip(emission: Emission): void {
    this.report.skipped(emission);
  }

  /** Whether so many can be accepted, when it was told of all there are; what is found out is remembered. */
  canAccept(count: number): boolean {
    if (count <= this.surelyFit) return true;
    if (this.once) return false;
    this.surelyFit = this.room;
    return count <= this.surelyFit || (!this.singly && this.sheds);
  }

  /**
   * Takes emissions that can be accepted: queues them, or keeps room for them until they arrive, when they may be handled
   * without being queued. Returns whether they are to arrive.
   */
  accept(emissions: readonly Emission[]): boolean {
    if (!this.singly) this.push(emissions);
    else {
      this.accepted(emissions.length);
      this.host.took(emissions.length);
    }
    return this.singly;
  }

  /** It is told that so many were accepted, which will arrive or have done so. */
  accepted(count: number): void {
    // Removed while it was found out who takes the rest of the commit.
    if (this.closed !== undefined) return;
    this.offered += count;
    this.reserved += count;
    this.surelyFit -= count;
  }

  /** Promises room to emissions that will come later, or not at all. One that sheds makes room when they come. */
  promise(count: number): void {
    if (this.sheds) return;
    this.promised += count;
    this.surelyFit = 0;
    this.host.took(count);
  }

  /** They come, and are queued. */
  redeem(emissions: readonly Emission[]): void {
    if (!this.sheds) this.promised -= emissions.length;
    if (this.closed) this.report.left(this.closed, emissions.length, emissions[0]);
    else this.push(emissions);
  }

  /** They do not come. */
  release(count: number): void {
    if (this.sheds) return;
    this.promised -= count;
    this.host.progressed(this);
  }

  /**
   * An emission it keeps room for arrives: it is handled at once when nothing stands before it. Returns whether that goes on.
   *
   * @param slot when it arrives at others too
   */
  receive(emission: Emission, slot: UnitSlot | undefined): boolean {
    if (!this.nothingWaits) return this.receiveInTurn(emission, slot);
    if (this.isFreeFor(emission)) return this.handle(emission, slot);
    this.queue(emission);
    return false;
  }

  /** The same where something waits, or may. */
  private receiveInTurn(emission: Emission, slot: UnitSlot | undefined): boolean {
    if (!this.singly || this.closed !== undefined) return false;
    if (this.backlog.length === 0 && this.isFreeFor(emission)) return this.handle(emission, slot);
    this.queue(emission);
    return false;
  }

  private handle(emission: Emission, slot: UnitSlot | undefined): boolean {
    this.reserved--;
    const goesOn = this.calls.handle(emission, slot);
    if (!this.nothingWaits) this.catchUp();
    return goesOn;
  }

  /** After a call while something waits, or may: what is queued gets its turn. Seldom, so that it stands apart (CONTRIBUTING.md). */
  private catchUp(): void {
    if (this.pending === 0) this.idle?.();
    if (this.backlog.length > 0) this.wake();
    else this.nothingWaits = this.closed === undefined;
  }

  /** Queues an emission it keeps room for. */
  queue(emission: Emission): void {
    if (!this.singly || this.closed) return;
    this.reserved--;
    this.enqueue(emission);
    this.wake();
  }

  /**
   * Queues emissions. A shedding `overflow` policy sheds what does not fit; with the others, {@link HandOver} sees to it that
   * they fit.
   */
  push(emissions: readonly Emission[]): void {
    if (this.closed) return;
    if (this.once) {
      for (const emission of emissions.slice(this.spent ? 0 : 1)) this.skip(emission);
      if (this.spent) return;
      this.spent = true;
      emissions = emissions.slice(0, 1);
      this.host.retire(this);
    }
    this.offered += emissions.length;
    this.surelyFit = 0;
    this.host.took(emissions.length);
    if (this.sheds && emissions.length > this.room) this.pushAndShed(emissions, this.room);
    else for (const emission of emissions) this.enqueue(emission);
    this.wake();
  }

  private enqueue(emission: Emission): void {
    this.backlog.push(emission);
    this.nothingWaits = false;
    if (emission.ttlMs !== undefined) this.expiry.expect(expiryOf(emission));
  }

  private pushAndShed(emissions: readonly Emission[], room: number): void {
    const fit = Math.max(room, 0);
    for (let i = 0; i < fit; i++) this.enqueue(emissions[i]!);
    let first: Emission | undefined;
    for (let i = fit; i < emissions.length; i++) {
      const shed = this.shedFor(emissions[i]!);
      this.report.shed(shed);
      first ??= shed;
    }
    this.report.overflowed(emissions.length - fit, first!);
  }

  /** What goes for a new one that finds no room: the oldest, or itself. With nothing but calls under way, none is older. */
  private shedFor(emission: Emission): Emission {
    if (!this.shedsOldest || this.backlog.length === 0) return emission;
    if (emission.ttlMs !== undefined) this.expiry.expect(expiryOf(emission));
    return this.backlog.swap(emission);
  }

  /** Delivers what is there, as far as `concurrency` allows. Called by {@link Turns}. */
  turn(): void {
    this.scheduled = false;
    this.work();
  }

  /** Looks again whether something is due: the host is in a hurry now. */
  hurry(): void {
    this.wake();
  }

  /**
   * Takes nothing more and forgets what is queued; returns how many emissions that were. Calls that run, and their retries,
   * are left to finish, or, with `abort`, told to stop and forgotten too.
   */
  close(reason: 'removed' | 'shutdown', abort: boolean): number {
    this.host.tell();
    this.closed = reason;
    this.nothingWaits = false;
    const first = (abort ? this.calls.peek() : undefined) ?? this.backlog.peek();
    let left = this.reserved + this.backlog.length;
    this.reserved = 0;
    this.backlog.clear();
    clearTimeout(this.waitTimer);
    this.expiry.stop();
    if (abort) {
      left += this.calls.emissions;
      this.calls.abort();
    }
    if (this.idle !== undefined && this.pending === 0) this.idle();
    this.report.left(reason, left, first);
    return left;
  }

  outside<T>(arm: () => T): T {
    return this.host.outside(arm);
  }

  progressed(): void {
    this.host.progressed(this);
  }

  over(keys: ReadonlySet<string> | undefined): void {
    if (keys !== undefined && !this.closed) this.backlog.release(keys);
    if (this.idle !== undefined && this.pending === 0) this.idle();
    this.host.progressed(this);
    if (this.backlog.length > 0) this.goOn();
  }

  private goOn(): void {
    if (this.closed || this.atWork) return;
    // Handlers that wait for nothing but promises would else have one round of the event loop for each `concurrency` of them.
    if (this.singly && !this.scheduled && this.host.mayGoOn) this.work();
    else this.wake();
  }

  occupy(emission: Emission): ReadonlySet<string> | undefined {
    return this.closed ? undefined : this.backlog.occupy(emission);
  }

  private work(): void {
    const { batchSize } = this.destination.options;
    this.atWork = true;
    try {
      let since = 0;
      for (let calls = 0; calls < CALLS_PER_TURN; calls++) {
        if (!this.due() || this.calls.count >= this.concurrency) break;
        if (calls === 1) since = performance.now();
        else if (calls > 1 && (calls & (calls - 1)) === 0 && performance.now() - since > A_TURN_MS)
          break;
        clearTimeout(this.waitTimer);
        this.waitTimer = undefined;
        this.overdue = false;
        const { emissions, keys } = this.backlog.take(batchSize);
        this.calls.begin(emissions, keys);
      }
    } finally {
      this.atWork = false;
    }
    this.wake();
  }

  /** What waited too long makes room, also while the consumer is stuck. Returns when the next one does. */
  private expire(): number {
    const now = this.clock.now();
    let next = Infinity;
    const expired = this.backlog.remove((emission) => {
      const gone = isExpired(emission, now);
      if (!gone) next = Math.min(next, expiryOf(emission));
      return gone;
    });
    for (const emission of expired) this.report.expired(emission);
    if (expired.length > 0) {
      if (this.pending === 0) this.idle?.();
      this.host.progressed(this);
    }
    return next;
  }

  private isFreeFor(emission: Emission): boolean {
    return (
      this.calls.count < this.concurrency &&
      emission.ttlMs === undefined &&
      (emission.key === undefined || !this.backlog.isBusy(emission.key))
    );
  }

  private wake(): void {
    if (this.scheduled) return;
    const isBusy = this.calls.count >= this.concurrency;
    // One that is stuck is woken with every commit: nothing is looked at in vain.
    if (isBusy && !this.waits) return;
    if (!this.due() || isBusy) return;
    this.scheduled = true;
    this.host.schedule(this);
  }

  /** Whether there is something to deliver now; starts the wait for more when there is too little. */
  private due(): boolean {
    if (this.backlog.ready) return true;
    if (this.backlog.queued === 0) return false;
    const { maxWaitMs, batchSize } = this.destination.options;
    if (maxWaitMs === 0 || this.overdue || this.host.hurried) return true;
    if (this.backlog.queued >= batchSize) return true;
    if (this.waitTimer === undefined) this.waitForMore(maxWaitMs);
    return false;
  }

  private waitForMore(atMostMs: number): void {
    const overdue = (): void => {
      this.overdue = true;
      this.wake();
    };
    this.waitTimer = this.host.outside(() => setTimeout(overdue, atMostMs));
  }
}
