import type { Attempt } from '../emission/attempt.js';
import type { Emission } from '../emission/emission.js';
import { Tracing, type Tracer } from '../emission/tracing.js';
import type { Transact } from '../emission/transaction-source.js';
import { signal, successIsHeard } from '../telemetry/signal.js';
import type { EmissionHandler, Handler, HandlerContext } from './handler.js';
import { ReportedCall, type GivenCall, type HandlerCall } from './handler.call.js';
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
    method: EmissionHandler<never>,
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

/** Calls handlers. `invoke` reads as the life of one call: find the host, open a scope, call, commit, report. */
export class HandlerInvoker {
  readonly #scope: InvocationScope;
  readonly #tracing: Tracing;

  /** @param transact runs work in a transaction, for handlers whose call has none of its own */
  constructor(
    scope: InvocationScope,
    readonly transact: Transact,
    tracing: Tracing = new Tracing(),
  ) {
    this.#scope = scope;
    this.#tracing = tracing;
  }

  /**
   * Resolves when the handler succeeded or ignored the emission and what it emitted is committed; rejects as it throws. What
   * a call emitted that was given up meanwhile is discarded, and its result is not reported.
   */
  invoke(
    handler: Handler,
    emission: Emission,
    call: GivenCall,
    outlet?: Outlet,
  ): void | Promise<void> {
    const context = new ReportedCall(handler, call, this.transact);
    const { bound } = handler;
    const goesOn =
      bound === undefined
        ? this.#callBuilt(handler, emission, context, outlet)
        : this.#scope.call(emission, this.#traced(bound), context, RULES, outlet);
    return goesOn ? context.ended() : undefined;
  }

  /** The same for an attempt, which is told when it has ended; returns whether it goes on. */
  handle(handler: Handler, emission: Emission, attempt: Attempt<Handler>): boolean {
    const { bound } = handler;
    return bound === undefined
      ? this.#callBuilt(handler, emission, attempt)
      : this.#scope.call(emission, this.#traced(bound), attempt, RULES);
  }

  /** The same with a host that is being built for this call. */
  #callBuilt({ host }: Handler, emission: Emission, context: HandlerCall, outlet?: Outlet): true {
    const resolved = (built: EmissionHandler<never>): void => {
      // It took so long to build that nobody waits for the call any more; there may be another one by now.
      if (context.aborted) return context.failed(context.signal.reason);
      const goesOn = this.#scope.call(emission, this.#traced(built), context, RULES, outlet);
      if (!goesOn) context.succeeded();
    };
    const building = host.build!(emission);
    building.then(resolved).catch((error: unknown) => context.failed(error));
    return true;
  }

  /** The scope gives each call an async context of its own, so that it is traced within. */
  #traced(method: EmissionHandler<never>): EmissionHandler<never> {
    const { tracer } = this.#tracing;
    return tracer === undefined ? method : tracedBy(tracer, method);
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

const RULES: CallRules<HandlerCall> = {
  isPrompt: ({ destination }) => destination.isPrompt === true,

  paced: ({ destination }, waits) => {
    if (waits) destination.isPrompt = false;
    else destination.isPrompt ??= true;
  },

  /** Unless it ignored the emission, or the call was given up. */
  keeps: (result, call) => !isIgnored(result) && !call.aborted,

  over: (result, call, emission) => {
    if (isIgnored(result)) call.isIgnored = true;
    if (successIsHeard()) signalOver(result, call, emission);
  },

  ended: (result, call, emission) => {
    RULES.over(result, call, emission);
    call.succeeded();
  },

  failed: (error, call) => call.failed(error),
};

function signalOver(result: unknown, call: HandlerCall, emission: Emission): void {
  const { aborted, durationMs, attempt, handlerId: handler } = call;
  if (aborted) return;
  signal(isIgnored(result) ? 'emissions:handler:ignored' : 'emissions:handler:succeeded', () => ({
    handler,
    emission: emission.name,
    count: 1,
    durationMs,
    attempt,
  }));
}
