import { AsyncResource } from 'node:async_hooks';
import type { Clock } from '../emission/clock.js';
import type { Destination } from '../emission/destination.js';
import { PartialDeliveryError } from '../emission/emission.errors.js';
import { isExpired, type Emission } from '../emission/emission.js';
import { isInterested } from '../emission/interest.js';
import { signal } from '../telemetry/channels.js';
import { Attempt } from './attempt.js';
import { Backlog } from './backlog.js';
import { backoff } from './backoff.js';
import { ASKED, ConsumerReport } from './consumer.report.js';
import { DeliveryTimeoutError, ShutdownError } from './pipeline.errors.js';
import type { Runnable } from './turns.js';

/** How many calls that return at once are made before others get their turn. */
const CALLS_PER_TURN = 64;

/** What a consumer needs of the pipeline it belongs to. */
export interface ConsumerHost {
  readonly clock: Clock;
  /** Somebody waits for everything to settle, or the application is closing: batches are not to wait to fill up. */
  readonly hurried: boolean;
  schedule(consumer: Consumer): void;
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
 *            push                turn                 settled
 *   (offer) ──────▶ queued ───────────────▶ in a call ────────▶ gone
 *                     │  ▲                    │    ▲
 *        key is busy  │  │ key is free        │    │ after a pause
 *                     ▼  │                    ▼    │
 *                    parked                 waiting to be retried ──▶ given up
 * ```
 *
 * `pending` counts all of these but the last two ends; it never exceeds `capacity`, save for what was kept while the
 * application started.
 */
export class Consumer implements Runnable {
  readonly #backlog: Backlog;
  readonly #running = new Map<Attempt, readonly Emission[]>();
  readonly #retries = new Map<NodeJS.Timeout, readonly Emission[]>();
  readonly #report: ConsumerReport;
  #offered = 0;
  #inCalls = 0;
  #calls = 0;
  #scheduled = false;
  #overdue = false;
  #waitTimer: NodeJS.Timeout | undefined;
  #closed = false;
  #spent = false;
  #idle: (() => void) | undefined;

  constructor(
    readonly destination: Destination,
    readonly host: ConsumerHost,
  ) {
    this.#backlog = new Backlog(destination.options.concurrency);
    this.#report = new ConsumerReport(destination);
  }

  get name(): string {
    return this.destination.name;
  }

  get priority(): number {
    return this.destination.priority;
  }

  /** Queued, parked, in a call or waiting to be retried. */
  get pending(): number {
    return this.#backlog.length + this.#inCalls;
  }

  /** How many it is done with, of all it ever got: delivered, given up or shed. */
  get done(): number {
    return this.#offered - this.pending;
  }

  /** How many more fit. */
  get room(): number {
    return this.destination.options.capacity - this.pending;
  }

  /** Tells by the name alone; a pattern that fails to answer takes nothing, and the failure is signalled. */
  takes(name: string): boolean {
    try {
      return this.destination.matches(name);
    } catch (error) {
      this.#report.unmatchable(name, error);
      return false;
    }
  }

  /** Calls back when nothing is pending any more. */
  onIdle(idle: () => void): void {
    this.#idle = idle;
  }

  /** Asks the destination whether it wants the emission; one that throws does not get it, and the failure is signalled. */
  wants(emission: Emission): boolean {
    try {
      return isInterested(this.destination.adapter, emission);
    } catch (error) {
      this.#report.failed('interested', [emission], error, ASKED);
      return false;
    }
  }

  /**
   * Queues emissions. A shedding `overflow` policy sheds what does not fit; with the others, {@link HandOver} sees to it that
   * they fit.
   */
  push(emissions: readonly Emission[]): void {
    if (this.#closed || this.#spent) return;
    if (this.destination.once) {
      this.#spent = true;
      emissions = emissions.slice(0, 1);
      this.host.retire(this);
    }
    const { overflow } = this.destination.options;
    this.#offered += emissions.length;
    const sheds = overflow === 'drop-oldest' || overflow === 'drop-newest';
    const shed: Emission[] = [];
    for (const emission of emissions) {
      if (!sheds || this.room > 0) this.#backlog.push(emission);
      else if (overflow === 'drop-newest' || this.#backlog.length === 0) shed.push(emission);
      else {
        shed.push(this.#backlog.shed());
        this.#backlog.push(emission);
      }
    }
    if (shed.length > 0) this.#report.overflowed(shed);
    this.#wake();
  }

  /** Delivers what is there, as far as `concurrency` allows. Called by {@link Turns}. */
  turn(): void {
    this.#scheduled = false;
    const { concurrency, batchSize } = this.destination.options;
    for (let calls = 0; this.#due() && this.#calls < concurrency; calls++) {
      if (calls === CALLS_PER_TURN) return this.#wake();
      clearTimeout(this.#waitTimer);
      this.#waitTimer = undefined;
      this.#overdue = false;
      const { emissions, keys } = this.#backlog.take(batchSize);
      this.#calls++;
      this.#inCalls += emissions.length;
      this.#deliver(emissions, keys, 1);
    }
  }

  /** Looks again whether something is due: the host is in a hurry now. */
  hurry(): void {
    this.#wake();
  }

  /**
   * Takes nothing more and forgets what is queued; returns how many emissions that were. Calls that run, and their retries,
   * are left to finish, or, with `abort`, told to stop and forgotten too.
   */
  close(reason: 'removed' | 'shutdown', abort: boolean): number {
    this.#closed = true;
    const first = this.#first(abort);
    let left = this.#backlog.length;
    this.#backlog.clear();
    clearTimeout(this.#waitTimer);
    if (abort) {
      left += this.#inCalls;
      this.#inCalls = 0;
      for (const timer of this.#retries.keys()) clearTimeout(timer);
      const running = [...this.#running.keys()];
      this.#retries.clear();
      this.#running.clear();
      for (const attempt of running) attempt.abort(new ShutdownError());
      this.#idle?.();
    }
    if (left > 0) this.#report.dropped(reason, left, first);
    return left;
  }

  /** The oldest of what `close` gives up. */
  #first(abort: boolean): Emission | undefined {
    const calls = abort ? [...this.#running.values(), ...this.#retries.values()] : [];
    return calls[0]?.[0] ?? this.#backlog.peek();
  }

  #wake(): void {
    if (this.#scheduled || !this.#due() || this.#calls >= this.destination.options.concurrency)
      return;
    this.#scheduled = true;
    this.host.schedule(this);
  }

  /** Whether there is something to deliver now; starts the wait for more when there is too little. */
  #due(): boolean {
    if (this.#backlog.ready) return true;
    if (this.#backlog.queued === 0) return false;
    const { maxWaitMs, batchSize } = this.destination.options;
    if (maxWaitMs === 0 || this.#overdue || this.host.hurried) return true;
    if (this.#backlog.queued >= batchSize) return true;
    this.#waitTimer ??= setTimeout(() => {
      this.#overdue = true;
      this.#wake();
    }, maxWaitMs);
    return false;
  }

  #deliver(batch: readonly Emission[], keys: ReadonlySet<string>, attempt: number): void {
    // Frozen: how many there are is needed afterwards, and retries deliver what is left of it.
    const alive = Object.freeze(this.#withoutExpired(batch));
    if (alive.length === 0) return this.#release(keys);
    if (alive.length < batch.length) this.host.progressed(this);
    const { adapter, options, name } = this.destination;
    const call = new Attempt(name, attempt);
    this.#running.set(call, alive);
    if (options.timeoutMs > 0) {
      call.limit(options.timeoutMs, () => {
        const error = new DeliveryTimeoutError(name, options.timeoutMs);
        call.abort(error);
        this.#settle(call, alive, keys, true, error);
      });
    }
    let result: unknown;
    try {
      // What an adapter puts into its async context stays there.
      const scope = new AsyncResource('nestjs-emissions:delivery');
      result = scope.runInAsyncScope(adapter.deliver, adapter, alive, call);
      if (isThenable(result)) {
        const failed = (error: unknown): void => this.#settle(call, alive, keys, true, error);
        result.then(() => this.#settle(call, alive, keys, false), failed);
        return;
      }
    } catch (error) {
      return this.#settle(call, alive, keys, true, error);
    }
    this.#settle(call, alive, keys, false);
  }

  #settle(
    call: Attempt,
    batch: readonly Emission[],
    keys: ReadonlySet<string>,
    hasFailed: boolean,
    error?: unknown,
  ): void {
    // It has settled before, exceeded its time, or shutdown gave it up: nobody waits for it any more.
    if (!this.#running.delete(call)) return;
    call.end();
    const failed = hasFailed ? failedPart(batch, error) : NOTHING;
    if (failed.length < batch.length) {
      this.#report.delivered(batch.length - failed.length, call);
      this.#inCalls -= batch.length - failed.length;
    }
    if (failed.length === 0) return this.#release(keys);
    if (failed.length < batch.length) this.host.progressed(this);
    const { retry } = this.destination.options;
    if (call.attempt < retry.attempts) return this.#retry(call, failed, keys, error);
    this.#report.failed('deliver', failed, error, call);
    this.#inCalls -= failed.length;
    this.#release(keys);
  }

  #retry(
    call: Attempt,
    failed: readonly Emission[],
    keys: ReadonlySet<string>,
    error: unknown,
  ): void {
    const delayMs = backoff(this.destination.options.retry, call.attempt);
    this.#report.retried(failed, error, call, delayMs);
    const again = (): void => {
      this.#retries.delete(timer);
      this.#deliver(failed, keys, call.attempt + 1);
    };
    const timer = this.host.outside(() => setTimeout(again, delayMs));
    this.#retries.set(timer, failed);
  }

  #release(keys: ReadonlySet<string>): void {
    this.#calls--;
    if (!this.#closed) this.#backlog.release(keys);
    if (this.pending === 0) this.#idle?.();
    this.host.progressed(this);
    if (!this.#closed) this.#wake();
  }

  #withoutExpired(batch: readonly Emission[]): readonly Emission[] {
    if (!batch.some((emission) => emission.ttlMs !== undefined)) return batch;
    const now = this.host.clock.now();
    return batch.filter((emission) => {
      if (!isExpired(emission, now)) return true;
      this.#inCalls--;
      signal('emissions:emission:expired', () => ({
        emission: emission.name,
        count: 1,
        consumer: this.name,
      }));
      return false;
    });
  }
}

const NOTHING: readonly Emission[] = [];

/** What failed of a batch. An error that names nothing of the batch cannot tell what arrived: then it is all of it. */
function failedPart(batch: readonly Emission[], error: unknown): readonly Emission[] {
  if (!(error instanceof PartialDeliveryError)) return batch;
  if (error.failed.length === 0) return [];
  const ids = new Set(error.failed.map((emission) => emission?.id));
  const failed = batch.filter(({ id }) => ids.has(id));
  return failed.length === 0 ? batch : failed;
}

function isThenable(value: unknown): value is PromiseLike<void> {
  return (
    typeof value === 'object' &&
    value !== null &&
    'then' in value &&
    typeof value.then === 'function'
  );
}
