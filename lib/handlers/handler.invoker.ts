import type { UnitSlot } from '../emission/destination.js';
import type { Emission } from '../emission/emission.js';
import { Tracing, type Tracer } from '../emission/tracing.js';
import type { Transact } from '../emission/transaction-source.js';
import { signal, successIsHeard } from '../telemetry/signal.js';
import { AwaitedCall } from './awaited.call.js';
import { CallContext } from './call.context.js';
import type { CallSource, HandlerCall, ToldCall } from './handler.call.js';
import type { BoundHandler, EmissionHandler, Handler, HandlerContext, Invoker } from './handler.js';
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
  /** The same for a handler that will hardly have to be waited for: it may follow others of the same emission in the unit of work in `slot`. */
  callNext<C extends HandlerContext>(
    emission: Emission,
    method: BoundHandler,
    context: C,
    rules: CallRules<C>,
    slot: UnitSlot,
  ): boolean;
}

/** What becomes of a call that has returned. */
export interface CallRules<C extends HandlerContext> {
  /** A call returned at once that was alone in its unit, or one has to be waited for. */
  paced(context: C, waits: boolean): void;
  /** Whether what the handler emitted counts; need not be asked of one that needed no buffer and returned nothing. */
  keeps(result: unknown, context: C): boolean;
  /** The handler has succeeded or ignored the emission; what it emitted is committed or discarded. */
  over(result: unknown, context: C, emission: Emission): void;
  /** The same of a call that went on. */
  ended(result: unknown, context: C, emission: Emission): void;
  /** A call that went on has failed; what it emitted is discarded. */
  failed(error: unknown, context: C): void;
}

/** Calls handlers. `invoke` reads as the life of one call: find the host, open a scope, call, commit, report. */
export class HandlerInvoker implements Invoker {
  readonly transact: Transact;
  private readonly scope: InvocationScope;
  private readonly tracing: Tracing;

  /** @param transact runs work in a transaction, for handlers whose call has none of its own */
  constructor(scope: InvocationScope, transact: Transact, tracing: Tracing = new Tracing()) {
    this.scope = scope;
    this.transact = transact;
    this.tracing = tracing;
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
    const awaited = new AwaitedCall(call);
    const context = new CallContext(awaited, handler);
    const { bound } = handler;
    const goesOn =
      bound === undefined
        ? this.callBuilt(handler, emission, context, outlet)
        : this.scope.call(emission, this.traced(bound), context, RULES, outlet);
    return goesOn ? awaited.ended() : undefined;
  }

  /** The same for a call that is told when it has ended; returns whether it goes on. */
  handle(
    handler: Handler,
    emission: Emission,
    call: ToldCall,
    slot: UnitSlot | undefined,
  ): boolean {
    const context = new CallContext(call, handler);
    const { bound } = handler;
    if (bound === undefined) return this.callBuilt(handler, emission, context, undefined);
    const method = this.traced(bound);
    return slot !== undefined && handler.isPrompt === true
      ? this.scope.callNext(emission, method, context, RULES, slot)
      : this.scope.call(emission, method, context, RULES);
  }

  /** The same for a call that is made when somebody asks for it; returns it when it goes on. */
  handlePromptly(
    handler: Handler,
    emission: Emission,
    call: CallSource,
    slot: UnitSlot | undefined,
  ): ToldCall | undefined {
    const context = new CallContext(call, handler);
    const method = this.traced(handler.bound!);
    const goesOn =
      slot === undefined
        ? this.scope.call(emission, method, context, RULES)
        : this.scope.callNext(emission, method, context, RULES, slot);
    return goesOn ? CallContext.ownCallOf(context) : undefined;
  }

  /** Calls a handler whose host is being built for this call. */
  private callBuilt(
    { host }: Handler,
    emission: Emission,
    context: CallContext,
    outlet: Outlet | undefined,
  ): true {
    const call = CallContext.ownCallOf(context);
    const resolved = (built: EmissionHandler<never>): void => {
      // It took so long to build that nobody waits for the call any more; there may be another one by now.
      if (call.aborted === true) return call.failed(call.signal.reason);
      const method = this.traced({ handle: built });
      const goesOn = this.scope.call(emission, method, context, RULES, outlet);
      if (!goesOn) call.succeeded();
    };
    const building = host.build!(emission);
    building.then(resolved).catch((error: unknown) => call.failed(error));
    return true;
  }

  /** The scope gives each call an async context of its own, so that it is traced within. */
  private traced(method: BoundHandler): BoundHandler {
    const { tracer } = this.tracing;
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

const RULES: CallRules<CallContext> = {
  paced: (context, waits) => {
    const handler = CallContext.handlerOf(context);
    if (waits) handler.isPrompt = false;
    else if (handler.bound !== undefined) handler.isPrompt ??= true;
  },

  /** Unless it ignored the emission, or the call was given up. */
  keeps: (result, context) =>
    (result === undefined || !isIgnored(result)) && CallContext.callOf(context).aborted !== true,

  over: (result, context, emission) => {
    // Where V8 knows that nothing was returned, this is nothing at all (5 of some 480 instructions a call).
    if (result !== undefined && isIgnored(result)) CallContext.callOf(context).ignored?.();
    if (successIsHeard()) signalOver(result, context, emission);
  },

  ended: (result, context, emission) => {
    RULES.over(result, context, emission);
    (CallContext.callOf(context) as ToldCall).succeeded();
  },

  failed: (error, context) => (CallContext.callOf(context) as ToldCall).failed(error),
};

function signalOver(result: unknown, context: CallContext, emission: Emission): void {
  const { aborted, durationMs = 0, attempt } = CallContext.callOf(context);
  if (aborted === true) return;
  signal(isIgnored(result) ? 'emissions:handler:ignored' : 'emissions:handler:succeeded', () => ({
    // Not what the context says: the handler has had it in its hands.
    handler: CallContext.handlerOf(context).name,
    emission: emission.name,
    count: 1,
    durationMs,
    attempt,
  }));
}
