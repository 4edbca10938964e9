import type { DeliveryContext } from '../emission/adapter.js';
import type { Emission } from '../emission/emission.js';
import { callsAreHeard, signal } from '../telemetry/channels.js';
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
   * Calls a handler, then commits what it emitted when the call `keeps` it, else discards it, as when it throws; then tells
   * the call that it is `over`, and resolves. Stays synchronous when all of it is. With an outlet of its own the call is part
   * of a commit, and stays in the async context of whoever commits; else it runs outside of any.
   */
  call(invocation: Invocation, outlet?: Outlet): void | Promise<void>;
}

/** One call of a handler, for whoever gives it its unit of work. */
export interface Invocation {
  /** What it handles. */
  readonly emission: Emission;
  readonly method: EmissionHandler<never>;
  readonly context: HandlerContext;
  /** Whether what the handler emitted counts. */
  keeps(result: unknown): boolean;
  over(result: unknown): void;
}

/** A call as whoever makes it knows it; what that does not say, it does not know. */
export interface HandlerCall extends DeliveryContext {
  /** Whether the call was given up (it took too long, the application closed): what it still does no longer counts. */
  readonly aborted?: boolean;
  /** How long ago it began, in milliseconds. */
  readonly durationMs?: number;
}

/** Calls handlers. `invoke` reads as the life of one call: find the host, open a scope, call, commit, report. */
export class HandlerInvoker {
  readonly #scope: InvocationScope;

  constructor(scope: InvocationScope) {
    this.#scope = scope;
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
    const method = handler.host.resolve(emission);
    if (!(method instanceof Promise))
      return this.#scope.call(new MethodCall(method, handler, emission, call), outlet);
    return method.then((resolved) =>
      this.#scope.call(new MethodCall(resolved, handler, emission, call), outlet),
    );
  }
}

class MethodCall implements Invocation {
  readonly context: HandlerContext;

  constructor(
    readonly method: EmissionHandler<never>,
    readonly handler: Handler,
    readonly emission: Emission,
    readonly call: HandlerCall,
  ) {
    this.context = new CallContext(call, handler.name);
  }

  /** Unless it ignored the emission, or the call was given up. */
  keeps(result: unknown): boolean {
    return result !== IGNORED && this.call.aborted !== true;
  }

  over(result: unknown): void {
    const { handler, emission, call } = this;
    if (!callsAreHeard('handler') || call.aborted === true) return;
    signal(
      result === IGNORED ? 'emissions:handler:ignored' : 'emissions:handler:succeeded',
      () => ({
        handler: handler.name,
        emission: emission.name,
        durationMs: call.durationMs ?? 0,
        attempt: call.attempt,
      }),
    );
  }
}

/** What a handler sees of the call it runs in. */
class CallContext implements HandlerContext {
  readonly #call: HandlerCall;

  constructor(
    call: HandlerCall,
    readonly handlerId: string,
  ) {
    this.#call = call;
  }

  get attempt(): number {
    return this.#call.attempt;
  }

  get signal(): AbortSignal {
    return this.#call.signal;
  }
}
