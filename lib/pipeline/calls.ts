import { asyncScope } from '../emission/async-scope.js';
import type { Clock } from '../emission/clock.js';
import type { Destination, UnitSlot } from '../emission/destination.js';
import { PartialDeliveryError } from '../emission/emission.errors.js';
import { isExpired, type Emission } from '../emission/emission.js';
import { isThenable } from '../emission/is-thenable.js';
import { AttemptContext } from './attempt.context.js';
import { Attempt, type AttemptOwner } from './attempt.js';
import { backoff } from './backoff.js';
import type { ConsumerReport } from './consumer.report.js';
import { DeliveryTimeoutError, ShutdownError } from './pipeline.errors.js';
import { Running } from './running.js';
import { UnaskedCall } from './unasked.call.js';
import { isThrown } from '../emission/thrown.js';

/** What calls need of the consumer they are made for. */
export interface Caller {
  readonly clock: Clock;
  /** Starts a timer in the context of no request. */
  outside<T>(arm: () => T): T;
  /** Some emissions of a call are done with, others go on. */
  progressed(): void;
  /** A call is over, retries included, and the keys it was busy with are free. */
  over(keys: ReadonlySet<string> | undefined): void;
  /** A call that was made without its keys goes on: they are busy from now on. */
  occupy(emission: Emission): ReadonlySet<string> | undefined;
}

/**
 * The calls one consumer is in: each delivers a batch, again and again as `retry` says.
 *
 * ```
 *   begin ──▶ under way ──▶ over                (delivered, or given up)
 *               ▲    │
 *    after a pause  fails
 *               │    ▼
 *           waiting to be retried
 * ```
 */
export class Calls implements AttemptOwner {
  private readonly destination: Destination;
  private readonly caller: Caller;
  private readonly report: ConsumerReport;
  private readonly timeoutMs: number;
  private readonly running = new Running();
  private readonly unasked: UnaskedCall = new UnaskedCall(this);
  private readonly retries = new Map<NodeJS.Timeout, readonly Emission[]>();
  private underWay = 0;
  private undelivered = 0;
  /** Calls that are about to return, for all that is known, counted here instead of twice above: each has one emission. */
  private returning = 0;
  private aborted = false;

  constructor(destination: Destination, caller: Caller, report: ConsumerReport) {
    this.destination = destination;
    this.timeoutMs = destination.options.timeoutMs;
    this.caller = caller;
    this.report = report;
  }

  get name(): string {
    return this.destination.name;
  }

  /** How many there are; one that waits to be retried counts. */
  get count(): number {
    return this.underWay + this.returning;
  }

  /** How many emissions these have not delivered. */
  get emissions(): number {
    return this.undelivered + this.returning;
  }

  /** The oldest of these emissions. */
  peek(): Emission | undefined {
    const batches = [...this.running.all.map(({ batch }) => batch), ...this.retries.values()];
    // Ids grow in the order of emission.
    return batches.flat().sort((a, b) => (a.id < b.id ? -1 : 1))[0];
  }

  /** Begins a call. */
  begin(batch: readonly Emission[], keys: ReadonlySet<string> | undefined): void {
    this.underWay++;
    this.undelivered += batch.length;
    this.deliver(batch, keys, 1);
  }

  /**
   * Gives one emission to a destination that handles them one at a time; says nothing when that is done at once, as it is by
   * most handlers, and goes on like every call otherwise. Returns whether it goes on.
   */
  handle(emission: Emission, slot: UnitSlot | undefined): boolean {
    if (this.destination.isPrompt === true && !this.report.isWatched())
      return this.handlePromptly(emission, slot);
    this.underWay++;
    this.undelivered++;
    const call = new Attempt(this, 1, emission, this.report.isHeard());
    let goesOn: boolean;
    try {
      goesOn = this.destination.handle!(emission, call, slot);
    } catch (error) {
      this.threw(call, emission, error);
      return false;
    }
    if (goesOn) return this.goOn(call, emission);
    // All may have been given up meanwhile.
    if (this.aborted) return false;
    this.underWay--;
    this.undelivered--;
    this.report.handled(emission, call);
    return false;
  }

  /** The same for one that hardly ever goes on, while nobody listens. */
  private handlePromptly(emission: Emission, slot: UnitSlot | undefined): boolean {
    this.returning++;
    let call: Attempt | undefined;
    try {
      // What goes on is what `unasked` made.
      call = this.destination.handlePromptly!(emission, this.unasked, slot) as Attempt | undefined;
    } catch (error) {
      this.stays();
      this.threw(this.unasked.own(), emission, error);
      return false;
    }
    if (call !== undefined) {
      this.stays();
      return this.goOn(call, emission);
    }
    if (this.aborted) return false;
    this.returning--;
    this.report.returned();
    return false;
  }

  /** A call that was to return at once does not, and is counted like every other. */
  private stays(): void {
    if (this.aborted) return;
    this.returning--;
    this.underWay++;
    this.undelivered++;
  }

  private threw(call: Attempt, emission: Emission, error: unknown): void {
    if (this.aborted) return;
    this.goOn(call, emission);
    this.failed(call, error);
  }

  /** Tells all to stop and forgets them. */
  abort(): void {
    this.aborted = true;
    this.undelivered = 0;
    this.returning = 0;
    for (const timer of this.retries.keys()) clearTimeout(timer);
    this.retries.clear();
    for (const attempt of this.running.clear()) attempt.abort(new ShutdownError());
  }

  private deliver(
    batch: readonly Emission[],
    keys: ReadonlySet<string> | undefined,
    attempt: number,
  ): void {
    // Frozen: how many there are is needed afterwards, and retries deliver what is left of it.
    const alive = Object.freeze(this.withoutExpired(batch));
    if (alive.length === 0) return this.over(keys);
    if (alive.length < batch.length) this.caller.progressed();
    const call = new Attempt(this, attempt, alive, this.report.isHeard());
    call.keys = keys;
    this.start(call);
    try {
      if (this.call(alive, call)) return;
    } catch (error) {
      return this.failed(call, error);
    }
    this.delivered(call);
  }

  /** A call that did not end at once goes on: the emission's key, which was free, is busy from now on. Returns whether it does. */
  private goOn(call: Attempt, emission: Emission): boolean {
    call.delivers(emission);
    if (this.aborted) {
      // Everything was closed while it was called.
      call.abort(new ShutdownError());
      return false;
    }
    if (emission.key !== undefined) call.keys = this.caller.occupy(emission);
    this.start(call);
    return true;
  }

  /** Returns whether it goes on. */
  private call(batch: readonly Emission[], call: Attempt): boolean {
    const { adapter, handle } = this.destination;
    if (handle !== undefined) return this.destination.handle!(batch[0]!, call, undefined);
    // What an adapter puts into its async context stays there.
    const scope = asyncScope('nestjs-emissions:delivery');
    const context = new AttemptContext(call);
    const result: unknown = scope.runInAsyncScope(adapter.deliver, adapter, batch, context);
    if (!isThenable(result)) return false;
    // What promises of other libraries resolve with may be a promise again.
    void Promise.resolve(result).then(
      () => call.succeeded(),
      (error: unknown) => call.failed(error),
    );
    return true;
  }

  private start(call: Attempt): void {
    this.running.add(call);
    this.report.began(call);
    if (this.timeoutMs > 0) this.limit(call);
  }

  private limit(call: Attempt): void {
    const { name, options } = this.destination;
    call.limit(options.timeoutMs, () => {
      const error = new DeliveryTimeoutError(name, options.timeoutMs);
      call.abort(error);
      this.failed(call, error);
    });
  }

  delivered(call: Attempt): void {
    if (!this.ends(call)) return;
    this.report.delivered(call);
    this.undelivered -= call.size;
    this.over(call.keys);
  }

  failed(call: Attempt, error: unknown): void {
    if (this.ends(call)) this.retryOrGiveUp(call, failedPart(call.batch, error), error);
  }

  /** Whether it was under way: it may have settled before, exceeded its time, or been given up at shutdown, and nobody waits for it. */
  private ends(call: Attempt): boolean {
    if (!this.running.delete(call)) return false;
    call.end();
    return true;
  }

  private retryOrGiveUp(call: Attempt, failed: readonly Emission[], error: unknown): void {
    const { batch } = call;
    if (failed.length < batch.length) {
      const delivered = batch.filter((emission) => !failed.includes(emission));
      this.report.delivered(call, delivered);
      this.undelivered -= delivered.length;
    }
    if (failed.length === 0) return this.over(call.keys);
    if (failed.length < batch.length) this.caller.progressed();
    if (call.attempt < this.destination.options.retry.attempts)
      return this.retry(call, failed, error);
    this.report.failed('deliver', failed, error, call);
    this.undelivered -= failed.length;
    this.over(call.keys);
  }

  private retry(call: Attempt, failed: readonly Emission[], error: unknown): void {
    const delayMs = backoff(this.destination.options.retry, call.attempt);
    this.report.retried(failed, error, call, delayMs);
    const again = (): void => {
      this.retries.delete(timer);
      this.deliver(failed, call.keys, call.attempt + 1);
    };
    const timer = this.caller.outside(() => setTimeout(again, delayMs));
    this.retries.set(timer, failed);
  }

  private over(keys: ReadonlySet<string> | undefined): void {
    this.underWay--;
    this.caller.over(keys);
  }

  private withoutExpired(batch: readonly Emission[]): readonly Emission[] {
    if (!batch.some((emission) => emission.ttlMs !== undefined)) return batch;
    const now = this.caller.clock.now();
    return batch.filter((emission) => {
      if (!isExpired(emission, now)) return true;
      this.undelivered--;
      this.report.expired(emission);
      return false;
    });
  }
}

/** What failed of a batch. An error that names nothing of the batch cannot tell what arrived: then it is all of it. */
function failedPart(batch: readonly Emission[], error: unknown): readonly Emission[] {
  if (!isThrown(error, PartialDeliveryError)) return batch;
  if (error.failed.length === 0) return [];
  const ids = new Set(error.failed.map((emission) => emission?.id));
  const failed = batch.filter(({ id }) => ids.has(id));
  return failed.length === 0 ? batch : failed;
}
