import type { AsyncResource } from 'node:async_hooks';
import type { DeliveryContext, EmissionAdapter } from '../emission/adapter.js';
import type { CallMaker, Destination, SingleCall, UnitSlot } from '../emission/destination.js';
import type { Emission } from '../emission/emission.js';
import type { Transact, TransactionSource } from '../emission/transaction-source.js';
import { Pattern, type EmissionPattern } from '../emission/pattern.js';
import type { ResolvedHandlerOptions } from './handler.options.js';

/** What a handler is told about a call beside the emission. */
export interface HandlerContext {
  /** 1 for the first try of this emission, growing with each retry. */
  readonly attempt: number;
  /** Aborted when the call has exceeded `timeoutMs`, and when the time to drain at shutdown is over. */
  readonly signal: AbortSignal;
  /** The id the handler goes by. */
  readonly handlerId: string;
  /** A durable handler's: the id of the delivery, which is that of the emission; the same in every attempt. */
  readonly deliveryId?: string | undefined;
  /**
   * Runs work in a transaction, as `Emissions.transaction` does. A durable handler's delivery is completed in it, together with
   * what the work wrote and emitted: when it has committed, the handler is not called again, whatever happens afterwards. Once per
   * call.
   *
   * @throws DeliveryLostError, and rolls back, when another worker has taken the delivery over
   */
  transaction<Tx, T>(
    source: TransactionSource<Tx>,
    work: (transaction: Tx) => T | Promise<T>,
  ): Promise<T>;
}

/** A handler as a function: what `subscribe` takes. */
export type EmissionHandler<T = unknown> = (
  payload: T,
  emission: Emission<T>,
  context: HandlerContext,
) => unknown;

/** A handler as it is called. */
export interface BoundHandler {
  readonly handle: EmissionHandler<never>;
  /** Calls it in an async context that is there already; the same for less, where there is one. */
  readonly handleIn?: (
    scope: AsyncResource,
    emission: Emission,
    context: HandlerContext,
  ) => unknown;
}

/** Where the method of a handler lives, and how it is come by: it is there, or its host is built for each call (request-scoped). */
export type HandlerHost = {
  /** For people: the class and its module, or the place that subscribed. */
  readonly describe: string;
  /** The class and its method; absent when a function was subscribed. */
  readonly method?: { readonly of: Function; readonly name: string };
} & (
  | { readonly bound: BoundHandler; readonly build?: undefined }
  | { readonly bound?: undefined; readonly build: BuildsHandler }
);

/** Builds the host of a handler for one call, and gives the function to call. */
export type BuildsHandler = (emission: Emission) => Promise<EmissionHandler<never>>;

/** Who calls a handler, in an async context of its own. */
export interface Invoker {
  /** Runs work in a transaction. */
  readonly transact: Transact;
  /** Resolves when the call has ended, or rejects as it failed. */
  invoke(handler: Handler, emission: Emission, call: DeliveryContext): void | Promise<void>;
  /** The same for a call that is told when it has ended, and may be one of several for the emission; returns whether it goes on. */
  handle(
    handler: Handler,
    emission: Emission,
    call: SingleCall,
    slot: UnitSlot | undefined,
  ): boolean;
  /** The same for a call that is made when somebody asks for it; returns it when it goes on. */
  handlePromptly(
    handler: Handler,
    emission: Emission,
    call: CallMaker,
    slot: UnitSlot | undefined,
  ): SingleCall | undefined;
}

/** One handler: what it takes, where it lives, how it is served. To the pipeline it is a destination like any other. */
export class Handler implements Destination {
  readonly kind = 'handler';
  readonly adapter: EmissionAdapter;
  /** What to call; nothing where it is built for each call. */
  readonly bound: BoundHandler | undefined;
  /**
   * Whether its calls return at once, as far as is known. One that once had to be waited for does not count as prompt again, and one whose
   * host is built for each call never does.
   */
  isPrompt: boolean | undefined = undefined;
  readonly #invoker: Invoker;
  #pattern: Pattern;

  /** @throws PatternError when the pattern is none */
  constructor(
    readonly name: string,
    pattern: EmissionPattern,
    readonly options: ResolvedHandlerOptions,
    readonly host: HandlerHost,
    invoker: Invoker,
  ) {
    this.#invoker = invoker;
    this.bound = host.bound;
    this.#pattern = new Pattern(pattern);
    const { interested } = options;
    this.adapter = {
      deliver: ([emission], call) => this.#invoker.invoke(this, emission!, call),
      ...(interested && {
        interested: (emission: Emission) => interested(emission as Emission<never>),
      }),
    };
  }

  handle(emission: Emission, call: SingleCall, slot: UnitSlot | undefined): boolean {
    return this.#invoker.handle(this, emission, call, slot);
  }

  handlePromptly(
    emission: Emission,
    call: CallMaker,
    slot: UnitSlot | undefined,
  ): SingleCall | undefined {
    return this.#invoker.handlePromptly(this, emission, call, slot);
  }

  /** Runs work in a transaction, for calls that have none of their own. */
  get transact(): Transact {
    return this.#invoker.transact;
  }

  get priority(): number {
    return this.options.priority;
  }

  get once(): boolean {
    return this.options.once;
  }

  get pattern(): string {
    return this.#pattern.text;
  }

  matches(name: string): boolean {
    return this.#pattern.matches(name);
  }

  /** Takes another pattern from now on. */
  follow(pattern: EmissionPattern): void {
    this.#pattern = new Pattern(pattern);
  }
}
