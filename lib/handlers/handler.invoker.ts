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

const succeeded = (result: unknown): boolean => result !== IGNORED;

/** Calls handlers. `invoke` reads as the life of one call: find the host, open a scope, call, commit, report. */
export class HandlerInvoker {
  readonly #scope: InvocationScope;

  constructor(scope: InvocationScope) {
    this.#scope = scope;
  }

  /** Resolves when the handler succeeded or ignored the emission and what it emitted is committed; rejects as it throws. */
  invoke(
    handler: Handler,
    emission: Emission,
    call: DeliveryContext,
    outlet?: Outlet,
  ): void | Promise<void> {
    const started = performance.now();
    const method = handler.host.resolve(emission);
    const result =
      method instanceof Promise
        ? method.then((resolved) => this.#call(resolved, handler, emission, call, outlet))
        : this.#call(method, handler, emission, call, outlet);
    if (result instanceof Promise) {
      return result.then((value) => report(value, handler, emission, call, started));
    }
    report(result, handler, emission, call, started);
  }

  #call(
    method: EmissionHandler<never>,
    handler: Handler,
    emission: Emission,
    call: DeliveryContext,
    outlet: Outlet | undefined,
  ): unknown {
    const work = (): unknown =>
      method(
        emission.payload as never,
        emission as never,
        new InvocationContext(call, handler.name),
      );
    return this.#scope.run(emission, work, succeeded, outlet);
  }
}

function report(
  result: unknown,
  handler: Handler,
  emission: Emission,
  call: DeliveryContext,
  started: number,
): void {
  signal(result === IGNORED ? 'emissions:handler:ignored' : 'emissions:handler:succeeded', () => ({
    handler: handler.name,
    emission: emission.name,
    durationMs: performance.now() - started,
    attempt: call.attempt,
  }));
}

/** What a handler sees of the call it runs in. */
class InvocationContext implements HandlerContext {
  readonly #call: DeliveryContext;

  constructor(
    call: DeliveryContext,
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
