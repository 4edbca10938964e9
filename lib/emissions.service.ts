import { Inject, Injectable, Logger } from '@nestjs/common';
import type { Observable } from 'rxjs';
import { BufferContext } from './buffer/buffer.context.js';
import { BufferClosedError, BufferNotStartedError } from './buffer/buffer.errors.js';
import type { EmissionBuffer } from './buffer/emission-buffer.js';
import type { UnitContext, UnitOfWork } from './buffer/unit-of-work.js';
import type { EmissionAdapter } from './emission/adapter.js';
import type { EmissionCatalog } from './emission/catalog.js';
import type { ConsumerSettings } from './emission/consumer.options.js';
import { assertName } from './emission/emission-name.js';
import { emissionTypeOf } from './emission/emission-type.decorator.js';
import {
  ConfigurationError,
  InvalidEmissionError,
  PayloadError,
} from './emission/emission.errors.js';
import {
  EmissionFactory,
  type EmissionOrigin,
  type EmitOptions,
} from './emission/emission.factory.js';
import type { Emission } from './emission/emission.js';
import type { EmissionPattern } from './emission/pattern.js';
import { quote } from './emission/quote.js';
import { Tracing } from './emission/tracing.js';
import type { TransactionSource } from './emission/transaction-source.js';
import { EmissionStreams } from './emission.streams.js';
import { EMISSIONS_OPTIONS, type ResolvedEmissionsOptions } from './emissions.options.js';
import { CascadeGuard } from './handlers/cascade.guard.js';
import type { EmissionHandler } from './handlers/handler.js';
import type { HandlerOptions } from './handlers/handler.options.js';
import type { HandledPayload } from './handlers/on-emission.decorator.js';
import type { EmissionStatus, Ledger } from './pipeline/ledger.js';
import { ConsumerNameError } from './pipeline/pipeline.errors.js';
import { Pipeline } from './pipeline/pipeline.js';
import { adapterDestination } from './adapter.destination.js';
import { PipelinePlanner, type PipelinePlan } from './pipeline.plan.js';
import { Subscriptions, type Subscriber, type Subscription } from './subscriptions.js';
import type { EmissionDropped } from './telemetry/channels.js';
import { signal } from './telemetry/signal.js';
import { Transactions } from './transactions.js';

const SETTLE_TIMEOUT_MS = 4_000;
const REMEMBERED_NAMES = 10_000;
const NO_ORIGIN: EmissionOrigin = Object.freeze({});

/** Names outside the catalog: theirs is any payload. */
type Uncatalogued<N extends string> = N extends keyof EmissionCatalog ? never : N;

/** What `record` emits, and how. */
export interface RecordOptions<T> extends EmitOptions {
  /** The name emitted with the result of the work. */
  success: string;
  /** The name emitted with the error, when the work throws or its result is an `Error`. */
  failure?: string;
  metadata?: Readonly<Record<string, unknown>>;
  /** Makes the payload of `success` from the result; default: the result. */
  payload?: (result: T) => unknown;
}

/**
 * Says what happened. Inject it where something happens and call `emit`; what becomes of it is decided with the unit of
 * work (a request, a message, a `run`): its success commits everything it emitted, its failure discards it.
 */
@Injectable()
export class Emissions {
  readonly #logger = new Logger('Emissions');
  readonly #warned = new Set<string>();

  constructor(
    private readonly buffers: BufferContext,
    private readonly factory: EmissionFactory,
    private readonly guard: CascadeGuard,
    private readonly pipeline: Pipeline,
    private readonly subscriptions: Subscriptions,
    private readonly streams: EmissionStreams,
    private readonly planner: PipelinePlanner,
    private readonly transactions: Transactions,
    private readonly tracing: Tracing,
    @Inject(EMISSIONS_OPTIONS) private readonly options: ResolvedEmissionsOptions,
  ) {}

  /**
   * Starts a buffer for the rest of the current asynchronous execution. Prefer `run`, which also ends it.
   *
   * @throws BufferAlreadyStartedError when one is active; that one stays untouched
   */
  start(): EmissionBuffer {
    return this.buffers.start();
  }

  /** Emits an instance of a class marked with `@EmissionType`, which gives it its name and key. */
  emit<T extends object>(
    event: T,
    metadata?: Readonly<Record<string, unknown>>,
    options?: EmitOptions,
  ): Emission<T> | undefined;
  /**
   * Puts an emission into the active buffer; never waits. The payload is copied: changing it afterwards changes nothing
   * that is delivered.
   *
   * @returns the emission, frozen; `undefined` when it was not taken because no buffer is active (option `unbuffered`), or
   * because its buffer has begun to commit or was terminated; both are signalled
   * @throws InvalidEmissionError for a name, tenant, key or option that is none
   * @throws PayloadError when payload or metadata hold something that cannot be copied
   * @throws BufferFullError when the buffer holds as many as it may
   * @throws CascadeDepthError, CrossTenantEmissionError in a handler
   */
  emit<N extends string, P>(
    name: N & Uncatalogued<N>,
    payload?: P,
    metadata?: Readonly<Record<string, unknown>>,
    options?: EmitOptions,
  ): Emission<P> | undefined;
  /** The same with a name of the catalog, whose payload is checked. */
  emit<N extends keyof EmissionCatalog & string>(
    name: N,
    payload: EmissionCatalog[N],
    metadata?: Readonly<Record<string, unknown>>,
    options?: EmitOptions,
  ): Emission<EmissionCatalog[N]> | undefined;
  emit(first: unknown, second?: unknown, third?: unknown, fourth?: unknown): Emission | undefined {
    if (typeof first === 'string')
      return this.#emit(first, second, third as never, fourth as never);
    const type = emissionTypeOf(first);
    if (type === undefined || typeof first === 'function') throw notAnEmission(first);
    const options = third as EmitOptions | undefined;
    const key = options?.key ?? type.key?.(first as never);
    return this.#emit(
      type.name,
      first,
      second as never,
      key === undefined ? options : { ...options, key },
    );
  }

  /**
   * Hands over what is buffered now, and stays open: these are delivered even if the unit of work fails later. In a nested `run`
   * it hands over what that run emitted, ahead of what the unit around it has emitted before.
   *
   * @returns how many were handed over
   * @throws BufferNotStartedError when no buffer is active
   * @throws what the hand-over fails with; the emissions stay in the buffer then
   */
  async flush(): Promise<number> {
    return this.buffers.active('flush()').flush();
  }

  /**
   * Hands over what is buffered and closes the buffer. Resolves when every consumer has it in its queue, not when it is
   * delivered. In a nested `run` it joins the buffer around it.
   *
   * @returns how many were handed over
   * @throws BufferNotStartedError when no buffer is active
   * @throws PipelineFullError, or what a critical handler throws: nothing was handed over, and the buffer is discarded
   */
  async commit(): Promise<number> {
    return this.buffers.active('commit()').commit();
  }

  /** Discards what is buffered and closes the buffer; returns how many that were, 0 when none is active. */
  terminate(): number {
    return this.buffers.current()?.buffer?.terminate() ?? 0;
  }

  /**
   * Runs work in a buffer: commits what it emitted when it resolves, discards it when it throws. Within an active buffer it
   * is a savepoint: what it emitted joins that one or disappears, also when branches run side by side.
   *
   * @returns what the work returns, once the commit is done
   * @throws ConfigurationError when the work is no function
   */
  run<T>(work: () => T | Promise<T>, context?: UnitContext): Promise<T> {
    if (typeof work !== 'function') return Promise.reject(notWork('run(async () => { … })', work));
    return this.buffers.runBuffered(work, context);
  }

  /**
   * Runs work in a transaction of the application's database, together with what it emits:
   *
   * ```ts
   * await emissions.transaction(fromPg(pool), async (client) => {
   *   await client.query('INSERT INTO orders …');
   *   emissions.emit('order.placed', order);
   * });
   * ```
   *
   * Before it commits, critical handlers run, and deliveries for durable handlers are stored through it; when it has committed, the
   * rest is handed over, also if the unit of work around it fails later. When the work throws, everything is rolled back and nothing
   * was emitted. Within a transaction of the same source it is a savepoint. The source may call the work again, after a conflict: only
   * what the last call emitted counts.
   *
   * Room in the queues is kept for all it emits until it ends, so that all of it has to fit in there. A `flush()` that nobody awaited
   * and that ends after it rejects with TransactionOverError, and is not delivered.
   *
   * @returns what the work returns
   * @throws what the work, a critical handler, the storing or the commit throws; what the database says when a statement in it has
   * failed, also when the work has caught that: it rolls back then
   * @throws PipelineFullError when a queue stays full
   * @throws ConfigurationError when the source is none, or the work no function
   */
  transaction<Tx, T>(
    source: TransactionSource<Tx>,
    work: (transaction: Tx) => T | Promise<T>,
  ): Promise<T> {
    return this.transactions.run(source, work);
  }

  /**
   * Runs work and emits `success` with its result, or `failure` with its error, with the time it began as `initializedAt`.
   * Gives the result back; an error reaches the caller, after `failure` was emitted, when that was named. Emitting `failure`
   * never hides the error: what of it cannot be copied is left out, and why it was not taken is logged.
   *
   * @throws InvalidEmissionError for a name that is none, before the work begins
   * @throws ConfigurationError when the options are none, or the work or `payload` is no function, before the work begins
   */
  async record<T>(options: RecordOptions<T>, work: () => T | Promise<T>): Promise<T> {
    checkRecord(options, work);
    const { success, failure, metadata, payload, ...emitOptions } = options;
    assertName(success);
    if (failure !== undefined) assertName(failure);
    const initializedAt = this.factory.clock.now();
    let result: T;
    try {
      result = await work();
    } catch (error) {
      if (failure !== undefined)
        this.#emitFailure(failure, error, metadata, emitOptions, initializedAt);
      throw error;
    }
    if (result instanceof Error && failure !== undefined) {
      this.#emitFailure(failure, result, metadata, emitOptions, initializedAt);
    } else {
      this.#emit(
        success,
        payload === undefined ? result : payload(result),
        metadata,
        emitOptions,
        initializedAt,
      );
    }
    return result;
  }

  /**
   * Puts a function to work as a handler, with all of a handler's options. The same function again takes the new pattern in
   * place of the old one.
   *
   * @throws PatternError when the pattern is none
   */
  subscribe<const P extends EmissionPattern>(
    pattern: P,
    handler: EmissionHandler<HandledPayload<P>>,
    options: HandlerOptions<HandledPayload<P>> = {},
  ): Subscription {
    return this.subscriptions.subscribe(pattern, handler as EmissionHandler<never>, options);
  }

  /** All handlers with their patterns, or those that take emissions of a name. */
  subscribers(name?: string): Subscriber[] {
    return this.subscriptions.subscribers(name);
  }

  /**
   * Whether a handler (the function, or its id) is at work, and, when a pattern is given, for just that: any that `subscribe`
   * takes; the order of an array does not matter, and a class stands for its name.
   *
   * @throws PatternError when the pattern is none
   */
  isSubscribed(handler: EmissionHandler<never> | string, pattern?: EmissionPattern): boolean {
    return this.subscriptions.isSubscribed(handler, pattern);
  }

  /**
   * The committed emissions that a pattern takes, from when it is subscribed to; completes when the application closes.
   *
   * A subscriber that throws, also behind operators, is signalled and logged like a handler that fails, and goes on with the
   * next emission; an operator that throws ends its subscription. What is combined with other Observables (`merge`) follows
   * rxjs's own rule, an uncaught exception: give it an `error` function there.
   *
   * @throws PatternError when the pattern is none
   */
  stream<const P extends EmissionPattern>(pattern: P): Observable<Emission<HandledPayload<P>>> {
    return this.streams.stream(pattern) as Observable<Emission<HandledPayload<P>>>;
  }

  /**
   * Serves an adapter from now on; it gets what is committed later.
   *
   * @throws ConsumerNameError when an adapter has that name
   */
  addAdapter(name: string, adapter: EmissionAdapter, consumer: ConsumerSettings = {}): void {
    const destination = adapterDestination(
      name,
      adapter,
      consumer,
      this.options.pipeline,
      this.tracing,
    );
    if (consumer?.durable === true) {
      throw new ConfigurationError(
        `The adapter ${name} is added at run time, and cannot be durable: what is stored for it would wait for an adapter that no other ` +
          `process has. Register it: EmissionsModule.forRoot({ adapters: [{ …, consumer: { durable: true } }] }).`,
      );
    }
    this.pipeline.add(destination);
  }

  /**
   * Serves an adapter no longer: what is queued for it is dropped and signalled, its running call is waited for.
   *
   * @throws ConsumerNameError naming the adapters there are, when none has that name
   */
  async removeAdapter(name: string): Promise<void> {
    if (await this.pipeline.remove('adapter', name)) return;
    const names = this.describe().adapters.map((adapter) => `'${adapter.name}'`);
    throw new ConsumerNameError(
      `There is no adapter named '${name}' to remove. There ${names.length === 0 ? 'are none' : `are: ${names.join(', ')}`}.`,
    );
  }

  /**
   * Resolves when nothing is pending: queues, running adapters and handlers, their retries and their cascades.
   *
   * @param options how long to wait, in milliseconds (default 4000)
   * @throws SettleTimeoutError naming who is still busy
   */
  settled(options: { timeoutMs?: number } = {}): Promise<void> {
    return this.pipeline.settled(options.timeoutMs ?? SETTLE_TIMEOUT_MS);
  }

  /**
   * What became of an emission at each of its consumers, as long as it is remembered (option `ledger`); `undefined` afterwards,
   * and for what was never handed over. Critical handlers are part of the commit, and not among them; of durable ones,
   * `DurableDeliveries.status` tells.
   *
   * @throws ConfigurationError without the option `ledger`
   */
  status(id: string): EmissionStatus | undefined {
    return this.#ledger('status').status(id);
  }

  /**
   * The emission of that id, as long as it is remembered (option `ledger`).
   *
   * @throws ConfigurationError without the option `ledger`
   */
  find(id: string): Emission | undefined {
    return this.#ledger('find').find(id);
  }

  /** What is wired to what: adapters, handlers, patterns, topics, and how much is pending where. */
  describe(): PipelinePlan {
    return this.planner.describe();
  }

  #ledger(verb: string): Ledger {
    const { ledger } = this.pipeline;
    if (ledger !== undefined) return ledger;
    throw new ConfigurationError(
      `${verb}(id) needs the ledger, which is off: write EmissionsModule.forRoot({ ledger: {} }) to have what becomes of ` +
        `emissions remembered.`,
    );
  }

  #emit(
    name: string,
    payload: unknown,
    metadata: Readonly<Record<string, unknown>> | undefined,
    options: EmitOptions | undefined,
    initializedAt?: number,
  ): Emission | undefined {
    const unit = this.buffers.current();
    const buffer = unit?.buffer;
    if (buffer?.isOpen !== true)
      return this.#emitUnbuffered(name, payload, metadata, options, unit, initializedAt);
    const emission = this.#create(name, payload, metadata, options, unit, initializedAt);
    buffer.add(emission);
    return emission;
  }

  #emitFailure(
    name: string,
    error: unknown,
    metadata: Readonly<Record<string, unknown>> | undefined,
    options: EmitOptions,
    initializedAt: number,
  ): void {
    try {
      try {
        this.#emit(name, error, metadata, options, initializedAt);
      } catch (refusal) {
        if (!(refusal instanceof PayloadError)) throw refusal;
        // Errors of HTTP clients and drivers hold sockets and requests.
        this.#emit(name, essenceOf(error), metadata, options, initializedAt);
      }
    } catch (refusal) {
      this.#logger.error(
        `'${name}' could not be emitted; the error it reports goes to the caller.`,
        refusal instanceof Error ? refusal.stack : refusal,
      );
    }
  }

  #create(
    name: string,
    payload: unknown,
    metadata: Readonly<Record<string, unknown>> | undefined,
    options: EmitOptions | undefined,
    unit: UnitOfWork | undefined,
    initializedAt: number | undefined,
  ): Emission {
    const shared = unit?.origin.resolve();
    const origin =
      initializedAt === undefined ? shared : Object.assign({}, shared, { initializedAt });
    const emission = this.factory.create(name, payload, metadata, options, origin ?? NO_ORIGIN);
    if (shared === undefined) return emission;
    shared.begun(emission.id);
    if (shared.cause !== undefined) this.guard.check(emission, shared.cause, options);
    return emission;
  }

  #emitUnbuffered(
    name: string,
    payload: unknown,
    metadata: Readonly<Record<string, unknown>> | undefined,
    options: EmitOptions | undefined,
    unit: UnitOfWork | undefined,
    initializedAt: number | undefined,
  ): Emission | undefined {
    assertName(name);
    const buffer = unit?.buffer;
    // What was emitted after a unit of work failed must not leave, and one that is being committed may still fail.
    if (this.options.unbuffered === 'deliver' && (buffer === undefined || buffer.isDelivered)) {
      const emission = this.#create(name, payload, metadata, options, unit, initializedAt);
      this.#deliverNow(emission);
      return emission;
    }
    this.#drop(name, buffer === undefined ? 'unbuffered' : 'buffer-closed');
    if (this.options.unbuffered !== 'throw') return undefined;
    throw buffer === undefined
      ? new BufferNotStartedError(`emit('${name}')`)
      : new BufferClosedError(name, buffer.state);
  }

  #deliverNow(emission: Emission): void {
    const waiting = this.pipeline.offer([emission]);
    waiting?.catch((error: unknown) => {
      this.#drop(emission.name, 'overflow');
      this.#logger.error(
        `'${emission.name}' was emitted without a buffer and could not be handed over.`,
        error instanceof Error ? error.stack : error,
      );
    });
  }

  #drop(name: string, reason: EmissionDropped['reason']): void {
    signal('emissions:emission:dropped', () => ({ reason, emission: name, count: 1 }));
    // What is thrown says it already.
    if (this.options.unbuffered === 'throw') return;
    const known = `${reason}:${name}`;
    if (this.#warned.has(known) || this.#warned.size >= REMEMBERED_NAMES) return;
    this.#warned.add(known);
    this.#logger.warn(
      reason === 'buffer-closed'
        ? `'${name}' was emitted after its unit of work had ended, and was dropped: await what emits, or give it a run() of its own.`
        : `'${name}' was emitted while no buffer was active, and was dropped: put EmissionsInterceptor on the route (read-only ` +
            `methods need @Buffered() too), wrap the work in emissions.run(), or set the option unbuffered: 'deliver'. Said once per name.`,
    );
  }
}

/** Of an error, what can always be copied. */
function essenceOf(error: unknown): Error {
  const { name, message, stack, code } = Object(error) as NodeJS.ErrnoException;
  const essence = new Error(typeof message === 'string' ? message : quote(error));
  if (typeof name === 'string') essence.name = name;
  if (typeof stack === 'string') essence.stack = stack;
  return typeof code === 'string' ? Object.assign(essence, { code }) : essence;
}

function notAnEmission(value: unknown): InvalidEmissionError {
  return new InvalidEmissionError(
    typeof value === 'object' && value !== null
      ? `emit got ${quote(value)}, whose class is not marked: write @EmissionType('some.name') above class ` +
          `${value.constructor?.name ?? '…'}, or emit('some.name', payload).`
      : `emit takes a name and a payload, or an instance of a class marked with @EmissionType, but got ${quote(value)}.`,
  );
}

/** @throws ConfigurationError when `record` could not do what it is asked for */
function checkRecord(options: RecordOptions<never>, work: unknown): void {
  const line = "record({ success: 'import.done' }, async () => { … })";
  if (typeof options !== 'object' || options === null) {
    throw new ConfigurationError(
      `record takes an object of options, but got ${quote(options)}. Write: emissions.${line}.`,
    );
  }
  if (typeof work !== 'function') throw notWork(line, work);
  if (options.payload !== undefined && typeof options.payload !== 'function') {
    throw new ConfigurationError(
      `record.payload takes a function, but got ${quote(options.payload)}. Write: (result) => …, which makes the payload of the result.`,
    );
  }
}

function notWork(line: string, got: unknown): ConfigurationError {
  const [verb] = line.split('(', 1);
  return new ConfigurationError(
    `${verb} takes the work as a function, but got ${quote(got)}. Write: emissions.${line}.`,
  );
}
