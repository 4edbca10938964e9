import type { Clock } from '../emission/clock.js';
import type { Destination } from '../emission/destination.js';
import { PartialDeliveryError } from '../emission/emission.errors.js';
import { isExpired, type Emission } from '../emission/emission.js';
import { signal } from '../telemetry/channels.js';
import { Attempt } from './attempt.js';
import { backoff } from './backoff.js';
import { ConsumerReport } from './consumer.report.js';
import { Lanes } from './lanes.js';
import { DeliveryTimeoutError, ShutdownError } from './pipeline.errors.js';
import { Queue } from './queue.js';
import type { Runnable } from './turns.js';

/** How many calls that return at once are made before others get their turn. */
const CALLS_PER_TURN = 64;

/** What a consumer needs of the pipeline it belongs to. */
export interface ConsumerHost {
  readonly clock: Clock;
  /** Somebody waits for everything to settle, or the application is closing: batches are not to wait to fill up. */
  readonly hurried: boolean;
  schedule(consumer: Consumer): void;
  /** There is room again, or nothing left to do. */
  progressed(): void;
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
 * `pending` counts all of these but the last two ends; it never exceeds `capacity`.
 */
export class Consumer implements Runnable {
  readonly #queue = new Queue<Emission>();
  readonly #lanes: Lanes | undefined;
  readonly #running = new Set<Attempt>();
  readonly #retries = new Set<NodeJS.Timeout>();
  readonly #report: ConsumerReport;
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
    this.#lanes = destination.options.concurrency > 1 ? new Lanes() : undefined;
    this.#report = new ConsumerReport(destination);
  }

  get name(): string {
    return this.destination.name;
  }

  /** Queued, parked, in a call or waiting to be retried. */
  get pending(): number {
    return this.#queue.length + (this.#lanes?.length ?? 0) + this.#inCalls;
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
    const { adapter } = this.destination;
    if (adapter.interested === undefined) return true;
    try {
      return adapter.interested(emission);
    } catch (error) {
      this.#report.failed('interested', [emission], error, 1, 0);
      return false;
    }
  }

  /** Queues emissions, shedding as `overflow` says when it is one of the shedding policies. */
  push(emissions: readonly Emission[]): void {
    if (this.#closed) return;
    if (this.destination.once) {
      if (this.#spent) return;
      this.#spent = true;
      emissions = emissions.slice(0, 1);
      this.host.retire(this);
    }
    const shed: Emission[] = [];
    for (const emission of emissions) {
      if (this.room > 0) this.#queue.push(emission);
      else if (this.destination.options.overflow !== 'drop-oldest' || this.#queue.length === 0)
        shed.push(emission);
      else {
        shed.push(this.#queue.shift());
        this.#queue.push(emission);
      }
    }
    if (shed.length > 0) this.#report.overflowed(shed);
    this.#wake();
  }

  /** Delivers what is there, as far as `concurrency` allows. Called by {@link Turns}. */
  turn(): void {
    this.#scheduled = false;
    const { concurrency } = this.destination.options;
    for (let calls = 0; this.#calls < concurrency && this.#due(); calls++) {
      if (calls === CALLS_PER_TURN) return this.#wake();
      this.#deliver(...this.#take());
    }
  }

  /** Looks again whether something is due: the host is in a hurry now. */
  hurry(): void {
    this.#wake();
  }

  /**
   * Takes nothing more and forgets what is queued; returns how many emissions that were. Calls that run are left to finish,
   * or, with `abort`, told to stop and forgotten too.
   */
  close(reason: 'removed' | 'shutdown', abort: boolean): number {
    if (this.#closed) return 0;
    this.#closed = true;
    const first = this.#queue.peek();
    let left = this.#queue.length + (this.#lanes?.length ?? 0);
    this.#queue.clear();
    this.#lanes?.clear();
    clearTimeout(this.#waitTimer);
    if (abort) {
      left += this.#inCalls;
      this.#inCalls = 0;
      for (const timer of this.#retries) clearTimeout(timer);
      for (const attempt of this.#running) attempt.abort(new ShutdownError());
      this.#running.clear();
      this.#idle?.();
    }
    if (left > 0) this.#report.dropped(reason, left, first);
    return left;
  }

  #wake(): void {
    if (this.#scheduled || this.#calls >= this.destination.options.concurrency || !this.#due())
      return;
    this.#scheduled = true;
    this.host.schedule(this);
  }

  /** Whether there is something to deliver now; starts the wait for more when there is too little. */
  #due(): boolean {
    if (this.#lanes?.ready === true) return true;
    const { maxWaitMs, batchSize } = this.destination.options;
    if (this.#queue.length === 0) return false;
    if (maxWaitMs === 0 || this.#overdue || this.host.hurried) return true;
    if (this.#queue.length >= batchSize) return true;
    this.#waitTimer ??= setTimeout(() => {
      this.#overdue = true;
      this.#wake();
    }, maxWaitMs);
    return false;
  }

  /** The next batch, and the keys it makes busy. */
  #take(): [Emission[], readonly string[]] {
    clearTimeout(this.#waitTimer);
    this.#waitTimer = undefined;
    this.#overdue = false;
    const { batchSize } = this.destination.options;
    const batch: Emission[] = [];
    const keys: string[] = [];
    while (batch.length < batchSize && this.#lanes?.ready === true) {
      keys.push(this.#lanes.take(batchSize - batch.length, batch));
    }
    while (batch.length < batchSize && this.#queue.length > 0) {
      const emission = this.#queue.shift();
      if (this.#lanes === undefined || emission.key === undefined) batch.push(emission);
      else if (keys.includes(emission.key)) batch.push(emission);
      else if (this.#lanes.admit(emission as Emission & { key: string })) {
        keys.push(emission.key);
        batch.push(emission);
      }
    }
    return [batch, keys];
  }

  #deliver(batch: readonly Emission[], keys: readonly string[], attempt = 1): void {
    if (attempt === 1) {
      this.#calls++;
      this.#inCalls += batch.length;
    }
    const alive = this.#withoutExpired(batch);
    if (alive.length === 0) return this.#release(keys);
    const { adapter, options, name } = this.destination;
    const started = performance.now();
    const call = new Attempt(name, attempt);
    let over = false;
    const settle = (error?: unknown, failed = error !== undefined): void => {
      if (over) return;
      over = true;
      call.end();
      if (!this.#forgotten(call)) this.#settle(alive, keys, attempt, started, failed, error);
    };
    this.#running.add(call);
    call.limit(options.timeoutMs, () => {
      const error = new DeliveryTimeoutError(name, options.timeoutMs);
      call.abort(error);
      settle(error);
    });
    try {
      const result = adapter.deliver(alive, call);
      if (isThenable(result))
        result.then(
          () => settle(),
          (error: unknown) => settle(error, true),
        );
      else settle();
    } catch (error) {
      settle(error, true);
    }
  }

  /** Whether shutdown gave this call up; whatever it does now, nobody waits for it. */
  #forgotten(call: Attempt): boolean {
    return !this.#running.delete(call);
  }

  #settle(
    batch: readonly Emission[],
    keys: readonly string[],
    attempt: number,
    started: number,
    hasFailed: boolean,
    error: unknown,
  ): void {
    const durationMs = performance.now() - started;
    const failed = hasFailed ? failedPart(batch, error) : [];
    if (failed.length < batch.length) {
      this.#report.delivered(batch.length - failed.length, attempt, durationMs);
      this.#inCalls -= batch.length - failed.length;
    }
    if (failed.length === 0) return this.#release(keys);
    const { retry } = this.destination.options;
    if (attempt < retry.attempts) {
      const delayMs = backoff(retry, attempt);
      this.#report.retried(failed, error, attempt, durationMs, delayMs);
      const timer = setTimeout(() => {
        this.#retries.delete(timer);
        this.#deliver(failed, keys, attempt + 1);
      }, delayMs);
      this.#retries.add(timer);
      return;
    }
    this.#report.failed('deliver', failed, error, attempt, durationMs);
    this.#inCalls -= failed.length;
    this.#release(keys);
  }

  #release(keys: readonly string[]): void {
    this.#calls--;
    if (this.pending === 0) this.#idle?.();
    if (this.#closed) return this.host.progressed();
    for (const key of keys) this.#lanes!.release(key);
    this.host.progressed();
    this.#wake();
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

function failedPart(batch: readonly Emission[], error: unknown): readonly Emission[] {
  if (!(error instanceof PartialDeliveryError)) return batch;
  const failed = new Set(error.failed);
  return batch.filter((emission) => failed.has(emission));
}

function isThenable(value: unknown): value is PromiseLike<void> {
  return (
    typeof value === 'object' &&
    value !== null &&
    'then' in value &&
    typeof value.then === 'function'
  );
}
