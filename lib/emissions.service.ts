import { Inject, Injectable } from '@nestjs/common';
import type { Observable } from 'rxjs';
import { BufferContext } from './buffer/buffer.context.js';
import type { EmissionBuffer } from './buffer/emission-buffer.js';
import type { UnitContext } from './buffer/unit-of-work.js';
import type { EmissionAdapter } from './emission/adapter.js';
import type { EmissionCatalog } from './emission/catalog.js';
import type { ConsumerSettings } from './emission/consumer.options.js';
import { emissionTypeOf } from './emission/emission-type.decorator.js';
import { ConfigurationError, InvalidEmissionError } from './emission/emission.errors.js';
import type { EmitOptions } from './emission/emission.factory.js';
import type { Emission } from './emission/emission.js';
import type { EmissionPattern } from './emission/pattern.js';
import { quote } from './emission/quote.js';
import { Tracing } from './emission/tracing.js';
import type { TransactionSource } from './emission/transaction-source.js';
import { EmissionStreams } from './emission.streams.js';
import { EMISSIONS_OPTIONS, type ResolvedEmissionsOptions } from './emissions.options.js';
import { Emitter } from './emitter.js';
import type { EmissionHandler } from './handlers/handler.js';
import type { HandlerOptions } from './handlers/handler.options.js';
import type { HandledPayload } from './handlers/on-emission.decorator.js';
import type { EmissionStatus, Ledger } from './pipeline/ledger.js';
import { ConsumerNameError } from './pipeline/pipeline.errors.js';
import { Pipeline } from './pipeline/pipeline.js';
import { adapterDestination } from './adapter.destination.js';
import { notWork } from './not-work.js';
import { PipelinePlanner, type PipelinePlan } from './pipeline.plan.js';
import { WorkReporter, type RecordOptions } from './work.reporter.js';
import { Subscriptions, type Subscriber, type Subscription } from './subscriptions.js';
import { Transactions } from './transactions.js';

const SETTLE_TIMEOUT_MS = 4_000;

/** Names outside the catalog: theirs is any payload. */
type Uncatalogued<N extends string> = N extends keyof EmissionCatalog ? never : N;

/**
 * Says what happened. Inject it where something happens and call `emit`; what becomes of it is decided with the unit of
 * work (a request, a message, a `run`): its success commits everything it emitted, its failure discards it.
 */
@Injectable()
export class Emissions {
  constructor(
    private readonly buffers: BufferContext,
    private readonly emitter: Emitter,
    private readonly reporter: WorkReporter,
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
   * @throws with `unbuffered: 'deliver'` and no buffer, what the hand-over refuses at once: PipelineFullError, PipelineClosedError after
   * the application has closed; both are signalled, too
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
      return this.emitter.emit(first, second, third as never, fourth as never);
    const type = emissionTypeOf(first);
    if (type === undefined || typeof first === 'function') throw notAnEmission(first);
    const options = third as EmitOptions | undefined;
    const key = options?.key ?? type.key?.(first as never);
    return this.emitter.emit(
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
    return this.reporter.record(options, work);
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
    if (typeof name !== 'string' || name === '') {
      throw new ConfigurationError(
        `addAdapter takes a name, which is a non-empty string, and an adapter, but got ${quote(name)}.`,
      );
    }
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
    const { timeoutMs = SETTLE_TIMEOUT_MS, ...others } = options ?? {};
    const isKnown = typeof (options ?? {}) === 'object' && Object.keys(others).length === 0;
    if (isKnown && typeof timeoutMs === 'number' && timeoutMs >= 0)
      return this.pipeline.settled(timeoutMs);
    return Promise.reject(
      new ConfigurationError(
        `settled takes { timeoutMs }, milliseconds of 0 or more, but got ${quote(options)}.`,
      ),
    );
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
}

function notAnEmission(value: unknown): InvalidEmissionError {
  return new InvalidEmissionError(
    typeof value === 'object' && value !== null
      ? `emit got ${quote(value)}, whose class is not marked: write @EmissionType('some.name') above class ` +
          `${value.constructor?.name ?? '…'}, or emit('some.name', payload).`
      : `emit takes a name and a payload, or an instance of a class marked with @EmissionType, but got ${quote(value)}.`,
  );
}
