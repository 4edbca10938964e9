import type { DeliveryContext } from '../emission/adapter.js';
import type { SingleCall } from '../emission/destination.js';
import type { Emission } from '../emission/emission.js';
import { Tracing, type Tracer } from '../emission/tracing.js';
import type { Transact, TransactionSource } from '../emission/transaction-source.js';
import { signal, successIsHeard } from '../telemetry/signal.js';
import type { BoundHandler, EmissionHandler, Handler, HandlerContext } from './handler.js';
import { isIgnored } from './ignored.js';

/** Takes what a handler emitted, when it succeeded. */
export type Outlet = (emissions: readonly Emission[]) => void | Promise<void>;

/**
 * Gives a handler's call a unit of work of its own: a buffer, and the emission it handles as the cause of what it emits.
 * The buffer stands one floor above; it is handed in.
 */
export interface InvocationScope {
  /**
   * Calls a handler, then commits what it emitted when the rules keep it, else discards it, as when it throws; then tells the
   * rules. Returns whether that goes on: it is over at once when all of it is. With an outlet of its own the call is part
   * of a commit, and stays in the async context of whoever commits; else it runs outside of any.
   *
   * @throws what the handler or the commit throws at once; the rules are told of what fails later
   */
  call<C extends HandlerContext>(
    emission: Emission,
    method: BoundHandler,
    context: C,
    rules: CallRules<C>,
    outlet?: Outlet,
  ): boolean;
}

/** What becomes of a call that has returned. */
export interface CallRules<C extends HandlerContext> {
  /** Whether all calls of this handler have returned at once so far, so that a next one will hardly have to be waited for. */
  isPrompt(context: C): boolean;
  /** The first call returned at once, or a call has to be waited for. */
  paced(context: C, waits: boolean): void;
  /** Whether what the handler emitted counts. */
  keeps(result: unknown, context: C): boolean;
  /** The handler has succeeded or ignored the emission; what it emitted is committed or discarded. */
  over(result: unknown, context: C, emission: Emission): void;
  /** The same of a call that went on. */
  ended(result: unknown, context: C, emission: Emission): void;
  /** A call that went on has failed; what it emitted is discarded. */
  failed(error: unknown, context: C): void;
}

/** A call as whoever makes it knows it; what that does not say, it does not know. */
export interface HandlerCall extends DeliveryContext {
  /** Whether the call was given up (it took too long, the application closed): what it still does no longer counts. */
  readonly aborted?: boolean;
  /** How long ago it began, in milliseconds. */
  readonly durationMs?: number;
  /** What names it among all that are stored; a durable handler's. */
  readonly deliveryId?: string;
  /** Runs work in a transaction that is part of the call. */
  readonly transact?: Transact;
  /** Told that the handler returned `IGNORED`. */
  isIgnored?: boolean;
}

/** Told how a call that went on has ended. */
type Waiting = Pick<SingleCall, 'succeeded' | 'failed'>;

/** Calls handlers. `invoke` reads as the life of one call: find the host, open a scope, call, commit, report. */
export class HandlerInvoker {
  readonly #scope: InvocationScope;
  readonly #transact: Transact;
  readonly #tracing: Tracing;

  /** @param transact runs work in a transaction, for handlers whose call has none of its own */
  constructor(scope: InvocationScope, transact: Transact, tracing: Tracing = new Tracing()) {
    this.#scope = scope;
    this.#transact = transact;
    this.#tracing = tracing;
  }

  /**
   * Resolves when the handler succeeded or ignored the emission and what it emitted is committed; rejects as it throws. What
   * a call emitted that was given up meanwhile is discarded, and its result is not reported.
   */
  invoke(
    handler: Handler,
    emission: Emission,
    call: HandlerCall,
    outlet?: Outlet,
  ): void | Promise<void> {
    let waiting: Waiting | undefined;
    const told: Waiting = {
      succeeded: () => waiting!.succeeded(),
      failed: (error) => waiting!.failed(error),
    };
    const context = new CallContext(call, handler, told, this.#transact);
    if (!this.#call(handler, emission, context, outlet)) return;
    return new Promise((succeeded, failed) => (waiting = { succeeded, failed }));
  }

  /** The same for a call that is told when it has ended; returns whether it goes on. */
  handle(handler: Handler, emission: Emission, call: HandlerCall & SingleCall): boolean {
    const context = new CallContext(call, handler, call, this.#transact);
    return this.#call(handler, emission, context, undefined);
  }

  #call(
    handler: Handler,
    emission: Emission,
    context: CallContext,
    outlet: Outlet | undefined,
  ): boolean {
    const { bound } = handler;
    return bound === undefined
      ? this.#callBuilt(handler, emission, context, outlet)
      : this.#scope.call(emission, this.#traced(bound), context, RULES, outlet);
  }

  /** The same with a host that is being built for this call. */
  #callBuilt(
    { host }: Handler,
    emission: Emission,
    context: CallContext,
    outlet: Outlet | undefined,
  ): true {
    const { callOf, succeeded, failed } = CallContext;
    const resolved = (built: EmissionHandler<never>): void => {
      const call = callOf(context);
      // It took so long to build that nobody waits for the call any more; there may be another one by now.
      if (call.aborted === true) return failed(context, call.signal.reason);
      const method = this.#traced({ handle: built });
      const goesOn = this.#scope.call(emission, method, context, RULES, outlet);
      if (!goesOn) succeeded(context);
    };
    const building = host.build!(emission);
    building.then(resolved).catch((error: unknown) => failed(context, error));
    return true;
  }

  /** The scope gives each call an async context of its own, so that it is traced within. */
  #traced(method: BoundHandler): BoundHandler {
    const { tracer } = this.#tracing;
    return tracer === undefined ? method : { handle: tracedBy(tracer, method.handle) };
  }
}

function tracedBy(tracer: Tracer, method: EmissionHandler<never>): EmissionHandler<never> {
  return (payload, emission, context) => {
    const { handlerId: consumer, deliveryId } = context;
    const durable = deliveryId !== undefined;
    const call = { kind: 'handler', consumer, durable, batch: [emission], context } as const;
    return tracer.call(call, () => method(payload, emission, context));
  };
}

/** What a handler sees of the call it runs in. */
class CallContext implements HandlerContext {
  static callOf(this: void, context: CallContext): HandlerCall {
    return context.#call;
  }

  static handlerOf(context: CallContext): Handler {
    return context.#handler;
  }

  static succeeded(this: void, context: CallContext): void {
    context.#waiting.succeeded();
  }

  static failed(this: void, context: CallContext, error: unknown): void {
    context.#waiting.failed(error);
  }

  readonly #call: HandlerCall;
  readonly #handler: Handler;
  readonly #waiting: Waiting;
  readonly #transact: Transact;

  constructor(call: HandlerCall, handler: Handler, waiting: Waiting, transact: Transact) {
    this.#call = call;
    this.#handler = handler;
    this.#waiting = waiting;
    this.#transact = transact;
  }

  get handlerId(): string {
    return this.#handler.name;
  }

  get attempt(): number {
    return this.#call.attempt;
  }

  get signal(): AbortSignal {
    return this.#call.signal;
  }

  get deliveryId(): string | undefined {
    return this.#call.deliveryId;
  }

  transaction<Tx, T>(
    source: TransactionSource<Tx>,
    work: (transaction: Tx) => T | Promise<T>,
  ): Promise<T> {
    return (this.#call.transact ?? this.#transact)(source, work);
  }
}

const RULES: CallRules<CallContext> = {
  isPrompt: (context) => CallContext.handlerOf(context).isPrompt === true,

  paced: (context, waits) => {
    const handler = CallContext.handlerOf(context);
    if (waits) handler.isPrompt = false;
    else handler.isPrompt ??= true;
  },

  /** Unless it ignored the emission, or the call was given up. */
  keeps: (result, context) => !isIgnored(result) && CallContext.callOf(context).aborted !== true,

  over: (result, context, emission) => {
    if (isIgnored(result)) CallContext.callOf(context).isIgnored = true;
    if (successIsHeard()) signalOver(result, context, emission);
  },

  ended: (result, context, emission) => {
    RULES.over(result, context, emission);
    CallContext.succeeded(context);
  },

  failed: (error, context) => CallContext.failed(context, error),
};

function signalOver(result: unknown, context: CallContext, emission: Emission): void {
  const { aborted, durationMs = 0, attempt } = CallContext.callOf(context);
  if (aborted === true) return;
  signal(isIgnored(result) ? 'emissions:handler:ignored' : 'emissions:handler:succeeded', () => ({
    handler: context.handlerId,
    emission: emission.name,
    count: 1,
    durationMs,
    attempt,
  }));
}
