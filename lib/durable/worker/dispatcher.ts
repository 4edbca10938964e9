import type { Clock } from '../../emission/clock.js';
import type { RetryOptions } from '../../emission/consumer.options.js';
import type { Destination } from '../../emission/destination.js';
import type { Transact, TransactionSource } from '../../emission/transaction-source.js';
import type { DurableDestination } from '../../emission/durable-engine.js';
import { PartialDeliveryError } from '../../emission/emission.errors.js';
import { isExpired, type Emission } from '../../emission/emission.js';
import { isThenable } from '../../emission/is-thenable.js';
import { AttemptContext } from '../../pipeline/attempt.context.js';
import { backoff } from '../../pipeline/backoff.js';
import { DeliveryTimeoutError, ShutdownError } from '../../pipeline/pipeline.errors.js';
import { DeliveryAttempt } from './delivery.attempt.js';
import { DeliveryReport } from './delivery.report.js';
import type { Claim, DeliveryQueue, FailedClaim, KeptError } from '../delivery/delivery.js';
import type { DeliveryStore } from '../delivery/delivery.store.js';
import { DeliveryLostError, NonRetryableError, UnknownTypeError } from '../durable.errors.js';
import { atMost } from '../in-time.js';
import { Lane, type LaneHost } from './lane.js';
import type { EmissionStorage } from '../storage/stored-emission.js';

/** How much work is held beyond what is begun: as much as takes about this long. */
const AHEAD_MS = 50;
const MOST_AHEAD = 1_000;
/** How many looks at the tables a delivery that needs a class nobody here knows is left to other processes. */
const UNKNOWN_PAUSE = 5;
const TOLD_MS = 2_000;

/** What a dispatcher works with. */
export interface DispatcherParts {
  readonly store: DeliveryStore;
  readonly storage: EmissionStorage;
  readonly clock: Clock;
  readonly transact: Transact;
  readonly pollMs: number;
}

/**
 * Serves one durable destination: takes its deliveries, with a key and without one, calls it with so many at once as it wants, and
 * says what became of each. No delivery waits for another, except for those before it of the same key.
 */
export class Dispatcher {
  readonly lanes: readonly Lane[];
  readonly #destination: Destination;
  readonly #retry: RetryOptions;
  readonly #parts: DispatcherParts;
  readonly #report: DeliveryReport;
  readonly #running = new Set<DeliveryAttempt>();
  /** What one delivery takes, in milliseconds, as it has been lately. */
  #pace = Number.POSITIVE_INFINITY;
  #turn = 0;
  #working = false;
  #drained: (() => void) | undefined;

  constructor(
    { destination }: DurableDestination,
    queues: readonly DeliveryQueue[],
    parts: DispatcherParts,
  ) {
    this.#destination = destination;
    this.#retry = destination.options.retry;
    this.#parts = parts;
    this.#report = new DeliveryReport(destination);
    this.lanes = queues.map((queue) => new Lane(queue, parts.store, this.#host));
  }

  get name(): string {
    return this.#destination.name;
  }

  /** 0 (first) to 9. */
  get priority(): number {
    return this.#destination.priority;
  }

  /** Whether it takes deliveries up. */
  get isWorking(): boolean {
    return this.#working;
  }

  start(): void {
    this.#working = true;
    for (const lane of this.lanes) lane.start();
  }

  /** Takes up nothing more, and gives back what was not begun. */
  async pause(): Promise<void> {
    this.#working = false;
    await Promise.all(this.lanes.map((lane) => lane.stop()));
  }

  /**
   * The same, and waits for what was begun; what is not done in time runs again. Then waits until the database knows what became of
   * each, or for two seconds, when it does not answer: what it does not know by then runs again, too.
   */
  async drain(timeoutMs: number): Promise<void> {
    const paused = this.pause();
    if (this.#running.size > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, timeoutMs);
      this.#drained = resolve;
      await promise;
      clearTimeout(timer);
    }
    for (const attempt of [...this.#running]) {
      this.#running.delete(attempt);
      attempt.abort(new ShutdownError());
      for (const claim of attempt.open) {
        this.#laneOf(claim)?.fail({
          claim,
          error: keptError(claim, new ShutdownError()),
          delayMs: 0,
        });
      }
    }
    await atMost(TOLD_MS, Promise.all([paused, ...this.lanes.map((lane) => lane.settled())]));
  }

  /** Says that it is alive. */
  async beat(): Promise<void> {
    await Promise.all(this.lanes.map((lane) => lane.beat()));
  }

  readonly #lanesOf = new WeakMap<Claim, Lane>();

  #laneOf(claim: Claim): Lane | undefined {
    return this.#lanesOf.get(claim);
  }

  readonly #host: LaneHost = {
    room: (held) => this.#room(held),
    arrived: () => this.#begin(),
    completed: (claims) => this.#report.completed(claims),
    failed: (failed) => this.#report.failed(failed),
    lost: (claims) => this.#lost(claims),
    troubled: (error) => this.#report.troubled(error),
  };

  /** As many as are to be begun, and as many ahead as are done in no time. */
  #room(held: number): number {
    const { concurrency, batchSize } = this.#destination.options;
    const atOnce = concurrency * batchSize;
    const ahead = Math.min(MOST_AHEAD, Math.floor((concurrency * AHEAD_MS) / this.#pace));
    const room = atOnce + ahead - held;
    // Few large claims are cheaper than many small ones.
    return room * 2 < ahead ? 0 : Math.max(0, room);
  }

  #begin(): void {
    const { concurrency, batchSize } = this.#destination.options;
    let idle = 0;
    while (this.#working && this.#running.size < concurrency && idle < this.lanes.length) {
      const lane = this.lanes[this.#turn++ % this.lanes.length]!;
      const claims = lane.ready.splice(0, batchSize);
      if (claims.length === 0) idle++;
      else {
        idle = 0;
        this.#try(lane, claims);
      }
    }
  }

  /** One attempt: restore, call, settle. */
  #try(lane: Lane, claims: readonly Claim[]): void {
    const emissions: Emission[] = [];
    const live = claims.filter((claim) => {
      const emission = this.#restore(lane, claim);
      if (emission !== undefined) emissions.push(emission);
      return emission !== undefined;
    });
    if (live.length === 0) return;
    const attempt = new DeliveryAttempt(this.name, live, emissions, (source, work) =>
      this.#transact(lane, attempt, source, work),
    );
    for (const claim of live) this.#lanesOf.set(claim, lane);
    this.#running.add(attempt);
    const { timeoutMs } = this.#destination.options;
    attempt.limit(timeoutMs, () => {
      const error = new DeliveryTimeoutError(this.name, timeoutMs);
      attempt.abort(error);
      this.#over(attempt, error);
    });
    try {
      const { adapter, kind } = this.#destination;
      // A handler is called by its invoker, which shows it no more than it may see.
      const context = kind === 'adapter' ? new AttemptContext(attempt) : attempt;
      const result: unknown = adapter.deliver(emissions, context);
      if (!isThenable(result)) return this.#over(attempt, undefined);
      void Promise.resolve(result).then(
        () => attempt.aborted || this.#over(attempt, undefined),
        (error: unknown) =>
          attempt.aborted || this.#over(attempt, error ?? new Error(String(error))),
      );
    } catch (error) {
      this.#over(attempt, error ?? new Error(String(error)));
    }
  }

  /** The delivery is completed in the transaction, or, when it is somebody else's by now, nothing is. */
  async #transact<Tx, T>(
    lane: Lane,
    attempt: DeliveryAttempt,
    source: TransactionSource<Tx>,
    work: (transaction: Tx) => T | Promise<T>,
  ): Promise<T> {
    const [claim] = attempt.claims as [Claim];
    if (!attempt.open.has(claim)) {
      throw new DeliveryLostError(this.name, claim.id, claim.attempt);
    }
    try {
      const result = await this.#parts.transact(source, work, async (executor) => {
        // From here until the transaction ends, others may see it completed before this process hears that it is.
        lane.leaving.add(claim);
        const kept = await this.#parts.store.complete(lane.queue.name, [claim], executor);
        if (!kept.has(claim.id)) throw new DeliveryLostError(this.name, claim.id, claim.attempt);
      });
      attempt.open.delete(claim);
      lane.forget(claim);
      this.#report.completed([claim]);
      return result;
    } finally {
      lane.leaving.delete(claim);
    }
  }

  /** The emission, unless it is not to be handled, or cannot be. */
  #restore(lane: Lane, claim: Claim): Emission | undefined {
    try {
      const emission = this.#parts.storage.restore(claim.id, claim.data);
      if (!isExpired(emission, this.#parts.clock.now())) return emission;
      this.#report.expired(emission);
      lane.complete(claim);
    } catch (error) {
      if (error instanceof UnknownTypeError) {
        this.#report.unknown(error);
        void lane.release([claim], UNKNOWN_PAUSE * this.#parts.pollMs);
      } else {
        lane.fail({ claim, error: keptError(claim, error), delayMs: undefined });
      }
    }
    return undefined;
  }

  #over(attempt: DeliveryAttempt, error: unknown): void {
    if (!this.#running.delete(attempt)) return;
    attempt.end();
    this.#learn(attempt);
    const failed = error instanceof PartialDeliveryError ? new Set(error.failed) : undefined;
    attempt.claims.forEach((claim, i) => {
      const lane = this.#laneOf(claim)!;
      if (!attempt.open.has(claim)) {
        if (error !== undefined) this.#report.tooLate(claim, error);
        return;
      }
      if (error === undefined || failed?.has(attempt.batch[i]!) === false) lane.complete(claim);
      else lane.fail(this.#failureOf(claim, error));
    });
    if (this.#running.size === 0) this.#drained?.();
    this.#begin();
    for (const lane of this.lanes) lane.poke();
  }

  #failureOf(claim: Claim, error: unknown): FailedClaim {
    const isLast = claim.attempt >= claim.maxAttempts || isFinal(error);
    return {
      claim,
      error: keptError(claim, error),
      delayMs: isLast ? undefined : backoff(this.#retry, claim.attempt),
    };
  }

  #lost(claims: readonly Claim[]): void {
    for (const attempt of [...this.#running]) {
      // One whose delivery was completed in a transaction has none open either, and is not concerned.
      const [first] = claims.filter((claim) => attempt.open.delete(claim));
      if (first === undefined || attempt.open.size > 0) continue;
      const { id, attempt: number } = first;
      this.#running.delete(attempt);
      attempt.end();
      attempt.abort(new DeliveryLostError(this.name, id, number));
    }
    this.#report.lost(claims);
    this.#begin();
  }

  #learn({ durationMs, claims }: DeliveryAttempt): void {
    const each = Math.max(durationMs / claims.length, 0.001);
    this.#pace = Number.isFinite(this.#pace) ? this.#pace * 0.8 + each * 0.2 : each;
  }
}

function isFinal(error: unknown): boolean {
  return error instanceof NonRetryableError;
}

const LONGEST_STACK = 8_000;

/** What is kept of an error: as text, and without what the database does not take. */
export function keptError({ attempt }: Pick<Claim, 'attempt'>, error: unknown): KeptError {
  const { name, message, stack, code } = Object(error) as NodeJS.ErrnoException;
  const text = (value: unknown): string =>
    String(value).toWellFormed().replaceAll('\0', '\ufffd').slice(0, LONGEST_STACK);
  return {
    attempt,
    at: new Date().toISOString(),
    name: text(name ?? typeof error),
    message: text(message ?? error),
    ...(typeof stack === 'string' && { stack: text(stack) }),
    ...(typeof code === 'string' && { code: text(code) }),
  };
}
