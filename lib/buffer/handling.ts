import { AsyncLocalStorage, type AsyncResource } from 'node:async_hooks';
import { asyncScope } from '../emission/async-scope.js';
import type { Emission } from '../emission/emission.js';
import type { BoundHandler, HandlerContext } from '../handlers/handler.js';
import type { EmissionBuffer } from './emission-buffer.js';
import { UnitOrigin, type UnitOfWork } from './unit-of-work.js';

/** What handlings have in common. */
export interface Surroundings {
  /** The async context that their own ones begin in. */
  readonly around: AsyncResource;
  readonly storage: AsyncLocalStorage<UnitOfWork>;
  /** A buffer for one of them. */
  open(): EmissionBuffer;
}

/**
 * The unit of work in which handlers of one emission are called, and its async context. The emission is the cause of all they
 * emit; each has a buffer of its own, made when it first needs one: most handlers emit nothing.
 *
 * Handlers that have always returned at once follow one another in one unit, as a context costs more than such a call. What one of
 * them left behind, a timer or a promise that nobody waits for, finds a buffer that has ended, as it would in a unit of its
 * own; where it matters how it has ended (`unbuffered: 'deliver'`), they do not share. A handler that has to be waited for is alone
 * in its unit, from the second time on: nobody knows before the first.
 */
export class Handling implements UnitOfWork {
  readonly cause: Emission;
  private readonly surroundings: Surroundings;
  /** Its async context, when it is to be entered again. */
  private scope: AsyncResource | undefined = undefined;
  private ownOrigin: UnitOrigin | undefined = undefined;
  private opened: EmissionBuffer | undefined = undefined;
  private isFree = false;

  constructor(cause: Emission, surroundings: Surroundings) {
    this.cause = cause;
    this.surroundings = surroundings;
  }

  get origin(): UnitOrigin {
    return (this.ownOrigin ??= new UnitOrigin(this.cause, undefined));
  }

  get buffer(): EmissionBuffer {
    return (this.opened ??= this.surroundings.open());
  }

  /** Begun by what a handler left behind: nobody else may have the unit. */
  set buffer(buffer: EmissionBuffer) {
    this.opened = buffer;
    this.isFree = false;
  }

  /** The handler that was called in it has succeeded at once: the next may have it, when nothing is left in its async context, or open. */
  leave(): void {
    this.isFree =
      !contextsRemember && this.scope !== undefined && this.opened?.state === 'committed';
  }

  /** The same for a handler that returned nothing; returns whether it needed no buffer, and so has left the unit with one that has ended. */
  leaveUntouched(ended: EmissionBuffer): boolean {
    if (this.opened !== undefined) return false;
    this.opened = ended;
    this.isFree = !contextsRemember;
    return true;
  }

  /** Takes it for another handler of the emission, when the one before has left it. */
  take(): boolean {
    if (!this.isFree) return false;
    this.isFree = false;
    return true;
  }

  /** Calls the first handler in it; `isFollowed` when another one may be called in it afterwards. */
  begin(method: BoundHandler, context: HandlerContext, isFollowed: boolean): unknown {
    const { around } = this.surroundings;
    // One scope instead of two.
    if (!contextsRemember) {
      const within = isFollowed ? this.withinFollowed : this.within;
      return around.runInAsyncScope(within, this, method, context);
    }
    this.scope = around.runInAsyncScope(Handling.enter, null, this);
    return this.callIn(this.scope, method, context);
  }

  /** Calls another handler, for which it was taken: it has no buffer yet. */
  again(method: BoundHandler, context: HandlerContext): unknown {
    this.opened = undefined;
    return method.handleIn === undefined
      ? this.callIn(this.scope!, method, context)
      : method.handleIn(this.scope!, this.cause, context);
  }

  private callIn(scope: AsyncResource, { handle }: BoundHandler, context: HandlerContext): unknown {
    const { cause } = this;
    const call = handle as (...given: unknown[]) => unknown;
    return scope.runInAsyncScope(call, undefined, cause.payload, cause, context);
  }

  private static enter(handling: Handling): AsyncResource {
    handling.surroundings.storage.enterWith(handling);
    return asyncScope('nestjs-emissions:handler');
  }

  /** Enters its context and calls. */
  private within({ handle }: BoundHandler, context: HandlerContext): unknown {
    this.surroundings.storage.enterWith(this);
    const { cause } = this;
    return handle(cause.payload as never, cause as never, context);
  }

  /** The same, and who follows finds that context as it was before the handler could change it. */
  private withinFollowed({ handle }: BoundHandler, context: HandlerContext): unknown {
    this.surroundings.storage.enterWith(this);
    this.scope = asyncScope('nestjs-emissions:handler');
    const { cause } = this;
    return handle(cause.payload as never, cause as never, context);
  }

  /** The handler failed or ignored the emission: what it emitted is discarded, and its buffer ends, as `ended` has if it needed none. */
  discard(ended: EmissionBuffer): void {
    if (this.opened === undefined) this.opened = ended;
    else this.opened.terminate();
  }

  /** The handler succeeded: its buffer ends, as `ended` has if it needed none. Returns the one to commit. */
  end(ended: EmissionBuffer): EmissionBuffer | undefined {
    if (this.opened !== undefined) return this.opened;
    this.opened = ended;
    return undefined;
  }
}

/**
 * Whether what code puts into its async context is there again when the same resource is entered the next time. Then each
 * call needs a context of its own. It is so where contexts are kept on resources (Node 22).
 */
const contextsRemember: boolean = (() => {
  const storage = new AsyncLocalStorage<boolean>();
  const scope = asyncScope('nestjs-emissions');
  scope.runInAsyncScope(() => storage.enterWith(true));
  const remembered = scope.runInAsyncScope(() => storage.getStore()) === true;
  storage.disable();
  return remembered;
})();
