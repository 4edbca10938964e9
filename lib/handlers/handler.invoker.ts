import type { DeliveryContext } from '../emission/adapter.js';
import type { Emission } from '../emission/emission.js';
import { Tracing } from '../emission/tracing.js';
import type { Transact, TransactionSource } from '../emission/transaction-source.js';
import { callsAreHeard, signal } from '../telemetry/signal.js';
import type { EmissionHandler, Handler, HandlerContext } from './handler.js';
import { IGNORED } from './ignored.js';

/** Takes what a handler emitted, when it succeeded. */
export type Outlet = (emissions: readonly Emission[]) => void | Promise<void>;

/**
 * Gives a handler's call a unit of work of its own: a buffer, and the emission it handles as the cause of what it emits.
 * The buffer stands one floor above; it is handed in.
 */
export interface InvocationScope {
  /**
   * Calls a handler, then commits what it emitted when the rules keep it, else discards it, as when it throws; then says that
   * the call is over, and resolves. Stays synchronous when all of it is. With an outlet of its own the call is part
   * of a commit, and stays in the async context of whoever commits; else it runs outside of any.
   */
  call<C extends HandlerContext>(
    emission: Emission,
    method: EmissionHandler<never>,
    context: C,
    rules: CallRules<C>,
    outlet?: Outlet,
  ): void | Promise<void>;
}

/** What becomes of a call that has returned. */
export interface CallRules<C extends HandlerContext> {
  /** Whether all calls of this handler have returned at once so far, so that a next one will hardly have to be waited for. */
  isPrompt(context: C): boolean;
  /** The first call returned at once, or a call has to be waited for. */
  paced(context: C, waits: boolean): void;
  /** Whether what the handler emitted counts. */
  keeps(result: unknown, context: C): boolean;
  /** What it emitted is committed or discarded. */
  over(result: unknown, context: C, emission: Emission): void;
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
    const context = new CallContext(call, handler, this.#transact);
    const method = handler.host.resolve(emission);
    if (!(method instanceof Promise))
      return this.#scope.call(emission, this.#traced(method), context, RULES, outlet);
    return method.then((resolved) =>
      this.#scope.call(emission, this.#traced(resolved), context, RULES, outlet),
    );
  }

  /** The scope gives each call an async context of its own, so that it is traced within. */
  #traced(method: EmissionHandler<never>): EmissionHandler<never> {
    const { tracer } = this.#tracing;
    if (tracer === undefined) return method;
    return (payload, emission, context) => {
      const { handlerId: consumer, deliveryId } = context;
      const durable = deliveryId !== undefined;
      const call = { kind: 'handler', consumer, durable, batch: [emission], context } as const;
      return tracer.call(call, () => method(payload, emission, context));
    };
  }
}

/** What a handler sees of the call it runs in. */
class CallContext implements HandlerContext {
  static callOf(context: CallContext): HandlerCall {
    return context.#call;
  }

  static handlerOf(context: CallContext): Handler {
    return context.#handler;
  }

  readonly #call: HandlerCall;
  readonly #handler: Handler;
  readonly #transact: Transact;

  constructor(call: HandlerCall, handler: Handler, transact: Transact) {
    this.#call = call;
    this.#handler = handler;
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
  isPrompt: (context) => CallContext.handlerOf(context).pace === 'prompt',

  paced: (context, waits) => {
    const handler = CallContext.handlerOf(context);
    if (waits) handler.pace = 'waits';
    else if (handler.pace === 'unknown') handler.pace = 'prompt';
  },

  /** Unless it ignored the emission, or the call was given up. */
  keeps: (result, context) => result !== IGNORED && CallContext.callOf(context).aborted !== true,

  over: (result, context, emission) => {
    if (result === IGNORED) CallContext.callOf(context).isIgnored = true;
    if (!callsAreHeard('handler')) return;
    const { aborted, durationMs = 0, attempt } = CallContext.callOf(context);
    if (aborted === true) return;
    signal(
      result === IGNORED ? 'emissions:handler:ignored' : 'emissions:handler:succeeded',
      () => ({
        handler: context.handlerId,
        emission: emission.name,
        count: 1,
        durationMs,
        attempt,
      }),
    );
  },
};
