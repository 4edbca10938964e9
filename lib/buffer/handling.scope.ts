import type { UnitSlot } from '../emission/destination.js';
import type { Emission } from '../emission/emission.js';
import { isThenable } from '../emission/is-thenable.js';
import type { BoundHandler, HandlerContext } from '../handlers/handler.js';
import type { CallRules, InvocationScope } from '../handlers/handler.invoker.js';
import { commit, type BufferContext } from './buffer.context.js';
import type { EmissionBuffer, Outlet } from './emission-buffer.js';
import { Handling, type Surroundings } from './handling.js';

/**
 * Calls handlers in units of work, and sees to it that what they emitted is committed or discarded.
 *
 * ```
 *   callNext ──▶ the unit that the handler before has left ──┬──at once──▶ committed ──▶ left for the next
 *      │                                                     │    │
 *      └─none─▶ callFirst ──▶ a unit that may be left ───────┤    └──failed, ignored──▶ discarded
 *                   │                                        │
 *                   │ units are not shared                   └──promise──▶ waited for ──▶ committed or discarded
 *                   ▼                                                          ▲
 *                 call ──▶ a unit for this call alone ─────────────────────────┘
 * ```
 */
export class HandlingScope implements InvocationScope {
  private readonly buffers: BufferContext;
  private readonly shares: boolean;
  /** The context of no request: it is made while the application is built. */
  private readonly outside: Surroundings;
  /** What handlers that needed no buffer have had, when they succeeded, and when they did not. */
  private readonly committed: EmissionBuffer;
  private readonly terminated: EmissionBuffer;

  /** @param shares whether handlers may share a unit: not where it matters afterwards how that of each has ended */
  constructor(buffers: BufferContext, shares = true) {
    this.buffers = buffers;
    this.shares = shares;
    this.outside = buffers.surroundings('nestjs-emissions');
    this.committed = buffers.ended('committed');
    this.terminated = buffers.ended('terminated');
  }

  // This way and that of `callNext` are much alike: V8 has room to inline each, not one for both (CONTRIBUTING.md).
  call<C extends HandlerContext>(
    emission: Emission,
    method: BoundHandler,
    context: C,
    rules: CallRules<C>,
    outlet?: Outlet,
  ): boolean {
    const handling = new Handling(emission, outlet ? this.here(outlet) : this.outside);
    let result: unknown;
    try {
      result = handling.begin(method, context, false);
      if (isThenable(result)) {
        this.waitFor(result, handling, context, rules);
        return true;
      }
    } catch (error) {
      handling.discard(this.terminated);
      throw error;
    }
    rules.paced(context, false);
    return !this.isOver(result, handling, context, rules);
  }

  callNext<C extends HandlerContext>(
    emission: Emission,
    method: BoundHandler,
    context: C,
    rules: CallRules<C>,
    slot: UnitSlot,
  ): boolean {
    // Only this class puts something there.
    const left = slot.unit as Handling | undefined;
    if (left === undefined || !left.take())
      return this.callFirst(emission, method, context, rules, slot);
    let result: unknown;
    try {
      result = left.again(method, context);
    } catch (error) {
      left.discard(this.terminated);
      throw error;
    }
    // So it is with most: nothing returned, nothing emitted.
    if (result !== undefined || !left.leaveUntouched(this.committed))
      return this.returned(result, left, context, rules, slot);
    rules.over(undefined, context, emission);
    return false;
  }

  /** Calls a handler in a unit that others may have after it. */
  private callFirst<C extends HandlerContext>(
    emission: Emission,
    method: BoundHandler,
    context: C,
    rules: CallRules<C>,
    slot: UnitSlot,
  ): boolean {
    if (!this.shares) return this.call(emission, method, context, rules);
    const handling = new Handling(emission, this.outside);
    let result: unknown;
    try {
      result = handling.begin(method, context, true);
    } catch (error) {
      handling.discard(this.terminated);
      throw error;
    }
    // As in `callNext`. Nobody can have given the call up meanwhile: it is not among those that go on.
    if (result !== undefined || !handling.leaveUntouched(this.committed))
      return this.returned(result, handling, context, rules, slot);
    slot.unit = handling;
    rules.over(undefined, context, emission);
    return false;
  }

  /** A handler that others may follow has returned; tells whether it goes on. */
  private returned<C extends HandlerContext>(
    result: unknown,
    handling: Handling,
    context: C,
    rules: CallRules<C>,
    slot: UnitSlot,
  ): boolean {
    try {
      if (isThenable(result)) {
        this.waitFor(result, handling, context, rules);
        return true;
      }
    } catch (error) {
      handling.discard(this.terminated);
      throw error;
    }
    if (!this.isOver(result, handling, context, rules)) return true;
    handling.leave();
    slot.unit = handling;
    return false;
  }

  /** Where a handler that is part of a commit is called. */
  private here(outlet: Outlet): Surroundings {
    return this.buffers.surroundings('nestjs-emissions:commit', outlet);
  }

  /** A handler has returned at once; tells whether that is all, or what it emitted makes the commit wait. */
  private isOver<C extends HandlerContext>(
    result: unknown,
    handling: Handling,
    context: C,
    rules: CallRules<C>,
  ): boolean {
    const committed = this.settle(handling, rules.keeps(result, context));
    if (committed === undefined) rules.over(result, context, handling.cause);
    else this.waitForCommit(committed, result, handling, context, rules);
    return committed === undefined;
  }

  /** A handler goes on: it is not prompt any more, and the rules are told when it has ended. */
  private waitFor<C extends HandlerContext>(
    pending: PromiseLike<unknown>,
    handling: Handling,
    context: C,
    rules: CallRules<C>,
  ): void {
    rules.paced(context, true);
    const resolved = (result: unknown): void => {
      let committed: Promise<unknown> | undefined;
      try {
        committed = this.settle(handling, rules.keeps(result, context));
      } catch (error) {
        return rules.failed(error, context);
      }
      if (committed === undefined) rules.ended(result, context, handling.cause);
      else this.waitForCommit(committed, result, handling, context, rules);
    };
    const threw = (error: unknown): void => {
      handling.discard(this.terminated);
      rules.failed(error, context);
    };
    // As with `await`, a `then` that a promise has of its own, which may call back at once or never, is not asked. The first way V8
    // inlines: 100 instructions less.
    if (isUsual(pending)) void pending.then(resolved, threw);
    else void Promise.prototype.then.call(Promise.resolve(pending), resolved, threw);
  }

  private waitForCommit<C extends HandlerContext>(
    committed: Promise<unknown>,
    result: unknown,
    handling: Handling,
    context: C,
    rules: CallRules<C>,
  ): void {
    void committed.then(
      () => rules.ended(result, context, handling.cause),
      (error: unknown) => rules.failed(error, context),
    );
  }

  /** A handler has returned: what it emitted is committed or discarded. */
  private settle(handling: Handling, kept: boolean): Promise<unknown> | undefined {
    if (kept) return handling.end(this.committed) && commit(handling);
    handling.discard(this.terminated);
    return undefined;
  }
}

/**
 * Whether it is what `async` functions return, and nothing that somebody has made of it. Of what is no promise, nothing but `then` is
 * read.
 */
function isUsual(pending: PromiseLike<unknown>): pending is Promise<unknown> {
  return pending.then === Promise.prototype.then && (pending as object).constructor === Promise;
}
