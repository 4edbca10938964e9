import type { DeliveryContext } from '../emission/adapter.js';
import type { Emission } from '../emission/emission.js';
import { signal } from '../telemetry/channels.js';
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
   * Runs `work`, then commits what it emitted when `keep(result)`, else discards it, as when it throws. Resolves with the
   * result once the commit has. Stays synchronous when all of it is.
   */
  run<T>(
    cause: Emission,
    work: () => T | Promise<T>,
    keep: (result: T) => boolean,
    outlet?: Outlet,
  ): T | Promise<T>;
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
    const result =
      method instanceof Promise
        ? method.then((resolved) => this.#call(resolved, handler, emission, call, outlet))
        : this.#call(method, handler, emission, call, outlet);
    if (result instanceof Promise) {
      return result.then((value) => report(value, handler, emission, call));
    }
    report(result, handler, emission, call);
  }

  #call(
    method: EmissionHandler<never>,
    handler: Handler,
    emission: Emission,
    call: HandlerCall,
    outlet: Outlet | undefined,
  ): unknown {
    const work = (): unknown =>
      method(
        emission.payload as never,
        emission as never,
        new InvocationContext(call, handler.name),
      );
    const keep = (result: unknown): boolean => result !== IGNORED && call.aborted !== true;
    return this.#scope.run(emission, work, keep, outlet);
  }
}

function report(result: unknown, handler: Handler, emission: Emission, call: HandlerCall): void {
  if (call.aborted === true) return;
  signal(result === IGNORED ? 'emissions:handler:ignored' : 'emissions:handler:succeeded', () => ({
    handler: handler.name,
    emission: emission.name,
    durationMs: call.durationMs ?? 0,
    attempt: call.attempt,
  }));
}

/** What a handler sees of the call it runs in. */
class InvocationContext implements HandlerContext {
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
