import { Logger } from '@nestjs/common';
import type { CommitParticipant, CommitStorage, DeliveryContext } from '../emission/adapter.js';
import type { Clock } from '../emission/clock.js';
import type { Destination } from '../emission/destination.js';
import type { Emission } from '../emission/emission.js';
import type { SqlExecutor } from '../emission/sql-executor.js';
import { Tracing } from '../emission/tracing.js';
import { Consumer, type ConsumerHost } from './consumer.js';
import { Arrivals } from './arrivals.js';
import { Commits, type CommitHost } from './commits.js';
import { EarlyEmissions } from './early.js';
import { HandOver, planOf } from './hand-over.js';
import type { Ledger } from './ledger.js';
import { LimitedCalls } from './limited-calls.js';
import { ConsumerNameError, PipelineClosedError } from './pipeline.errors.js';
import { QueuePlace, type Place, type PlaceHost } from './place.js';
import type { PipelineOptions } from './pipeline.options.js';
import { Routes, type Route } from './routes.js';
import { Settlers } from './settlers.js';
import { haveRoom, partOf, sharesOf, type Share } from './shares.js';
import { Turns } from './turns.js';

/** What is left when the pipeline has closed. */
export interface ShutdownReport {
  /** Whether everything was delivered. */
  readonly drained: boolean;
  /** Who was left with how many emissions. */
  readonly left: readonly { readonly consumer: string; readonly count: number }[];
}

/** Sees every emission at the moment it is handed over. Must neither throw nor wait. */
export type Tap = (emissions: readonly Emission[]) => void;

/**
 * Hands each committed emission to every consumer that wants it, all of a commit or nothing.
 *
 * ```
 *   starting ──start──▶ running ──drain──▶ draining ──close──▶ closed
 *   (keeps what         (hands over)      (hands over,         (refuses)
 *    is offered)                           in a hurry)
 * ```
 */
export class Pipeline implements ConsumerHost, CommitHost, PlaceHost {
  readonly #logger = new Logger('Emissions');
  readonly #options: PipelineOptions;
  readonly #arrivals = new Arrivals();
  readonly #turns = new Turns(() => this.#giveOut());
  readonly #routes = new Routes();
  readonly #handOver: HandOver;
  readonly #commits: Commits;
  readonly #calls = new LimitedCalls();
  readonly #early: EarlyEmissions;
  readonly #taps = new Set<Tap>();
  readonly #settlers = new Settlers();
  readonly #leaving = new Set<Consumer>();
  #catchingUp: (() => void) | undefined;
  #drainBy: number | undefined;
  #retired: (destination: Destination) => void = () => {};
  #state: 'starting' | 'running' | 'draining' | 'closed' = 'starting';

  constructor(
    options: PipelineOptions,
    readonly clock: Clock,
    readonly ledger?: Ledger,
    tracing: Tracing = new Tracing(),
  ) {
    this.#options = options;
    this.#early = new EarlyEmissions(options.capacity);
    this.#handOver = new HandOver(options.waitTimeoutMs);
    this.#commits = new Commits(this, tracing);
  }

  get state(): 'starting' | 'running' | 'draining' | 'closed' {
    return this.#state;
  }

  get hurried(): boolean {
    return this.#settlers.waiting || this.#state === 'draining';
  }

  /** All consumers, in the order they were added. */
  get consumers(): readonly Consumer[] {
    return this.#routes.consumers;
  }

  /** What has been offered so far and is kept until the consumers are started. */
  get kept(): readonly Emission[] {
    return this.#early.kept;
  }

  /**
   * Adds a consumer for a destination; it gets what is handed over from now on.
   *
   * @throws ConsumerNameError when one of its kind has that name
   */
  add(destination: Destination): void {
    if (this.#routes.find(destination.kind, destination.name) !== undefined) {
      throw new ConsumerNameError(
        `There is ${destination.kind === 'adapter' ? 'an adapter' : 'a handler'} named '${destination.name}' already; give one of ` +
          'them another name.',
      );
    }
    this.#routes.add(new Consumer(destination, this));
  }

  /**
   * Removes a consumer: it gets nothing further, what is queued for it is dropped and signalled, and nobody waits for it any
   * more. Resolves when its running call has finished, retries included.
   *
   * @returns whether there was one
   */
  async remove(kind: Destination['kind'], name: string): Promise<boolean> {
    const consumer = this.#routes.find(kind, name);
    if (consumer === undefined) return false;
    await this.#remove(consumer);
    return true;
  }

  async #remove(consumer: Consumer): Promise<void> {
    this.#arrivals.queue();
    this.#routes.remove(consumer);
    this.#handOver.forget(consumer);
    consumer.close('removed', false);
    this.settle();
    if (consumer.pending > 0) await this.#leave(consumer);
  }

  /** The same for a destination that may have taken the one emission of its life, and waits for its turn with that. */
  async withdraw(destination: Destination): Promise<void> {
    const leaving = [...this.#leaving].find((consumer) => consumer.destination === destination);
    if (leaving === undefined) {
      const consumer = this.consumers.find((each) => each.destination === destination);
      if (consumer !== undefined) await this.#remove(consumer);
      return;
    }
    this.#handOver.forget(leaving);
    leaving.close('removed', false);
    this.settle();
  }

  /** A pattern has changed: who takes which names is to be found out anew. */
  refresh(): void {
    this.#routes.refresh();
  }

  /** Lets something store what commits owe, once there is room for the rest of them; `takes` tells which names it is there for. */
  storeWith(storage: CommitStorage, takes: (name: string) => boolean): void {
    this.#commits.storeWith(storage);
    this.#routes.alsoTaken(takes);
  }

  /** Lets something take part in every commit, before anything is handed over; `takes` tells which names it is there for. */
  join(participant: CommitParticipant, takes: (name: string) => boolean = () => false): void {
    this.#commits.join(participant);
    this.#routes.alsoTaken(takes);
  }

  /**
   * Makes a call that is part of a commit, with a time limit in milliseconds (0: none); shutdown gives it up when the time to
   * drain is over.
   *
   * @throws DeliveryTimeoutError, PipelineClosedError, or whatever the work throws
   */
  call(
    name: string,
    timeoutMs: number,
    work: (call: DeliveryContext) => void | Promise<void>,
  ): Promise<void> {
    return this.#calls.run(name, timeoutMs, work);
  }

  /** Shows every emission handed over to `tap`, at once; returns what stops it. */
  tap(tap: Tap): () => void {
    this.#taps.add(tap);
    return () => this.#taps.delete(tap);
  }

  /**
   * Hands emissions over to every consumer that wants them: all of them, or, with an error, none. Returns a promise only
   * when something has to be waited for: a participant, or room in a queue whose overflow policy is `'wait'`.
   *
   * @throws PipelineFullError when a queue stays full
   * @throws PipelineClosedError after the pipeline has closed
   * @throws whatever a participant or the storage throws
   */
  offer(emissions: readonly Emission[]): void | Promise<void> {
    if (this.#state === 'closed') throw new PipelineClosedError();
    return this.#commits.offer(emissions);
  }

  /**
   * The first half of a hand-over, for one within a transaction: everything that takes part in it does so, room is made, and what
   * is owed is stored.
   *
   * @returns the second half, for when the transaction has ended
   * @throws as `offer`
   */
  async accept(emissions: readonly Emission[], executor: SqlExecutor): Promise<Place> {
    if (this.#state === 'closed') throw new PipelineClosedError();
    return this.#commits.accept(emissions, executor);
  }

  /** Starts the consumers: what was kept so far is handed over first. */
  start(): void {
    if (this.#state !== 'starting') return;
    this.#state = 'running';
    this.#handOutEarly();
  }

  /** Resolves when nothing is pending anywhere; @throws SettleTimeoutError naming who is still busy. */
  async settled(timeoutMs: number): Promise<void> {
    if (this.#isIdle()) return;
    const settled = this.#settlers.wait(timeoutMs, () => this.#describeBusy());
    for (const consumer of this.consumers) consumer.hurry();
    await settled;
  }

  /**
   * Waits until what is pending now is delivered, while more may come: the servers of a closing application still answer.
   * Gives up when `drainTimeoutMs` is over, and closes nothing: what is left is for {@link drain}.
   */
  async catchUp(): Promise<void> {
    if (this.#state === 'starting' || this.#state === 'closed') return;
    const timeoutMs = this.#timeToDrain();
    const marks = this.consumers.map((consumer) => ({
      consumer,
      until: consumer.done + consumer.pending,
    }));
    const caughtUp = (): boolean => marks.every(({ consumer, until }) => consumer.done >= until);
    if (caughtUp()) return;
    for (const consumer of this.consumers) consumer.hurry();
    await new Promise<void>((resolve) => {
      const over = (): void => {
        clearTimeout(timer);
        this.#catchingUp = undefined;
        resolve();
      };
      const timer = setTimeout(over, timeoutMs);
      this.#catchingUp = () => {
        if (caughtUp()) over();
      };
    });
  }

  /**
   * Waits until nothing is pending, for what is left of `drainTimeoutMs`; closes when that is over. Can be called again for
   * what has come meanwhile.
   */
  async drain(): Promise<void> {
    if (this.#state === 'starting' || this.#state === 'closed') return;
    try {
      await this.settled(this.#timeToDrain());
    } catch {
      this.close();
    }
  }

  /** Takes nothing more, gives up what is left, and reports it by name and count. */
  close(): ShutdownReport {
    if (this.#state === 'closed') return { drained: true, left: [] };
    this.#state = 'closed';
    this.#calls.close();
    this.#handOver.close();
    this.#arrivals.queue();
    const busy = [...this.consumers, ...this.#leaving];
    const left = [
      ...busy.map((each) => ({ consumer: each.name, count: each.close('shutdown', true) })),
      this.#early.giveUp(),
    ].filter(({ count }) => count > 0);
    if (left.length > 0) {
      this.#logger.error(
        `Closed with emissions undelivered: ${left.map(({ consumer, count }) => `${consumer}: ${count}`).join(', ')}. ` +
          `Raise pipeline.drainTimeoutMs (${this.#options.drainTimeoutMs} ms) to give them more time.`,
      );
    }
    this.settle();
    return { drained: left.length === 0, left };
  }

  schedule(consumer: Consumer): void {
    this.#turns.schedule(consumer);
  }

  tell(): void {
    this.#routes.tell();
  }

  took(count: number): void {
    this.#routes.took(count);
  }

  get mayGoOn(): boolean {
    return this.#turns.isYoung;
  }

  readonly #mayGoOn = (): boolean => this.#turns.isYoung;

  outside<T>(arm: () => T): T {
    return this.#turns.outside(arm);
  }

  progressed(consumer: Consumer): void {
    if (this.#handOver.waiting > 0) this.#handOver.serve(consumer);
    this.settle();
  }

  /** Calls back when a destination that takes one emission in its life has taken it. */
  onRetired(listener: (destination: Destination) => void): void {
    this.#retired = listener;
  }

  retire(consumer: Consumer): void {
    this.#routes.remove(consumer);
    this.#retired(consumer.destination);
    void this.#leave(consumer);
  }

  /** Keeps an eye on a consumer that is no longer offered anything, until it is done with what it has or is about to get. */
  async #leave(consumer: Consumer): Promise<void> {
    this.#leaving.add(consumer);
    await new Promise<void>((idle) => consumer.onIdle(idle));
    this.#leaving.delete(consumer);
  }

  /** What is left of the time to drain, in milliseconds, since somebody first asked. */
  #timeToDrain(): number {
    this.#state = 'draining';
    this.#drainBy ??= performance.now() + this.#options.drainTimeoutMs;
    return Math.max(0, this.#drainBy - performance.now());
  }

  /** Somebody may have waited for what is over now. */
  settle(): void {
    this.#catchingUp?.();
    if (this.#settlers.waiting && this.#isIdle()) this.#settlers.release();
  }

  /** Hands over what is stored, or needs not be. */
  handOver(emissions: readonly Emission[]): void | Promise<void> {
    if (this.#state === 'closed') throw new PipelineClosedError();
    if (this.#state !== 'starting') return this.#push(emissions);
    this.#early.keep(emissions);
    this.#notify(emissions);
    return undefined;
  }

  /** Makes room, to hand over later. */
  async reserve(emissions: readonly Emission[]): Promise<Place> {
    if (this.#state === 'closed') throw new PipelineClosedError();
    if (this.#state === 'starting') return this.#reserveEarly(emissions);
    const plan = planOf(this.#sharesOf(emissions));
    let place: Place | undefined;
    const reserve = (): void | Promise<void> =>
      this.#handOver.push(plan, () => (place = new QueuePlace(plan, emissions, this)));
    await (this.ledger === undefined ? reserve() : this.ledger.unlessRefused(emissions, reserve));
    return place!;
  }

  /** The application may have started, or closed, when it is redeemed. */
  #reserveEarly(emissions: readonly Emission[]): Place {
    const { length } = emissions;
    this.#early.reserve(length);
    return {
      release: () => {
        this.#early.release(length);
        this.settle();
      },
      redeem: () => {
        this.#early.release(length);
        this.#early.keep(emissions);
        this.#notify(emissions);
        if (this.#state === 'closed') this.#early.giveUp();
        else if (this.#state !== 'starting') this.#handOutEarly();
      },
    };
  }

  #handOutEarly(): void {
    const early = this.#early.take();
    for (const [consumer, wanted] of planOf(this.#sharesOf(early))) consumer.push(wanted);
    this.ledger?.trim();
    this.settle();
  }

  /** Gives emissions to those who take them, all or none. Mostly they arrive at all who take them. */
  #push(emissions: readonly Emission[]): void | Promise<void> {
    if (this.ledger !== undefined) return this.#pushShares(emissions);
    const route = this.#routes.toAll(emissions);
    const isAccepted =
      route === undefined ? this.#acceptEach(emissions) : this.#acceptAll(emissions, route);
    return isAccepted ? this.#notify(emissions) : this.#pushShares(emissions);
  }

  /** Accepts emissions of one name, if they arrive and there is room for them. */
  #acceptAll(emissions: readonly Emission[], route: Route): boolean {
    if (!this.#mayArrive(route) || !this.#routes.accept(route, emissions.length)) return false;
    const { takers } = route;
    this.#arrive({ emissions, takers, arriving: takers.length });
    return true;
  }

  /** The same for several names; those that follow one another under one name arrive together. */
  #acceptEach(emissions: readonly Emission[]): boolean {
    // An adapter that takes all names is found out by the first.
    if (emissions.length === 0 || !this.#routes.to(emissions[0]!.name).arrives) return false;
    const routes = emissions.map(({ name }) => this.#routes.to(name));
    if (!routes.every((route) => this.#mayArrive(route))) return false;
    if (!this.#routes.acceptEach(routes)) return false;
    let from = 0;
    for (let to = 1; to <= routes.length; to++) {
      const { takers } = routes[from]!;
      if (to < routes.length && routes[to] === routes[from]) continue;
      const part = partOf(emissions, from, to);
      this.#arrive({ emissions: part, takers, arriving: takers.length });
      from = to;
    }
    return true;
  }

  /** Whether what is accepted now for its takers arrives at them. Asked when the route is known: finding it may have run anybody's code. */
  #mayArrive({ arrives }: Route): boolean {
    return arrives && this.#handOver.waiting === 0;
  }

  /** The same for what is asked, queued or taken once, where somebody waits or there is no room, and with a ledger. */
  #pushShares(emissions: readonly Emission[]): void | Promise<void> {
    const shares = this.#sharesOf(emissions);
    // Here, and not by each consumer: what finds out who wants what may have committed something.
    this.#routes.tell();
    if (this.#handOver.waiting > 0 || !haveRoom(shares, emissions.length))
      return this.#pushInTurn(emissions, shares);
    for (const share of shares) this.#accept(share);
    this.#notify(emissions);
    return this.ledger?.trim();
  }

  /** The same where somebody has to wait, or to be told that there is no room. */
  #pushInTurn(emissions: readonly Emission[], shares: readonly Share[]): void | Promise<void> {
    this.#arrivals.queue();
    const plan = planOf(shares);
    const go = (): void => {
      for (const [consumer, wanted] of plan) consumer.push(wanted);
      this.#notify(emissions);
    };
    const handOver = (): void | Promise<void> => this.#handOver.push(plan, go);
    return this.ledger === undefined ? handOver() : this.ledger.unlessRefused(emissions, handOver);
  }

  queueArrivals(): void {
    this.#arrivals.queue();
  }

  handedOver(emissions: readonly Emission[]): void {
    this.#notify(emissions);
    this.ledger?.trim();
  }

  refused(emissions: readonly Emission[]): void {
    this.ledger?.refused(emissions);
  }

  /** Gives emissions to those who take them. */
  #accept(share: Share): void {
    const { emissions, takers } = share;
    let arriving = 0;
    for (const consumer of takers) if (consumer.accept(emissions)) arriving++;
    if (arriving === 0) return;
    share.arriving = arriving;
    this.#arrive(share);
  }

  #arrive(share: Share): void {
    this.#arrivals.add(share);
    this.#turns.call();
  }

  #sharesOf(emissions: readonly Emission[]): readonly Share[] {
    return sharesOf(emissions, this.#takersOf);
  }

  /** Who wants it. */
  readonly #takersOf = (emission: Emission): readonly Consumer[] => {
    const { takers, selective } = this.#routes.to(emission.name);
    this.ledger?.open(emission, takers);
    return selective ? takers.filter((consumer) => consumer.wants(emission)) : takers;
  };

  #giveOut(): boolean {
    if (!this.#arrivals.waiting) return false;
    const more = this.#arrivals.giveOut(this.#mayGoOn);
    if (this.#handOver.waiting > 0)
      for (const consumer of this.consumers) this.#handOver.serve(consumer);
    this.settle();
    return more;
  }

  #notify(emissions: readonly Emission[]): void {
    if (this.#taps.size > 0) this.#show(emissions);
  }

  #show(emissions: readonly Emission[]): void {
    for (const tap of this.#taps) tap(emissions);
  }

  #isIdle(): boolean {
    return (
      this.#early.length === 0 &&
      this.#commits.inProgress === 0 &&
      this.#handOver.waiting === 0 &&
      this.consumers.every((consumer) => consumer.pending === 0) &&
      [...this.#leaving].every((consumer) => consumer.pending === 0)
    );
  }

  #describeBusy(): string {
    const busy = [...this.consumers, ...this.#leaving]
      .filter((consumer) => consumer.pending > 0)
      .map((consumer) => `${consumer.destination.kind} ${consumer.name}: ${consumer.pending}`);
    const { waiting } = this.#handOver;
    if (waiting > 0) busy.push(`${waiting} commit${waiting === 1 ? ' waits' : 's wait'} for room`);
    if (this.#commits.inProgress > 0) busy.push(`commits in progress: ${this.#commits.inProgress}`);
    if (this.#early.length > 0)
      busy.push(`kept until the application has started: ${this.#early.length}`);
    return busy.join(', ');
  }
}
