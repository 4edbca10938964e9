import { AsyncLocalStorage } from 'node:async_hooks';
import { asyncScope } from '../emission/async-scope.js';
import type { Emission } from '../emission/emission.js';
import { isThenable } from '../emission/is-thenable.js';
import type { BoundHandler, HandlerContext } from '../handlers/handler.js';
import type { CallRules, InvocationScope } from '../handlers/handler.invoker.js';
import { BufferAlreadyStartedError, BufferNotStartedError } from './buffer.errors.js';
import { EmissionBuffer, type Outlet } from './emission-buffer.js';
import { Handling, type Surroundings } from './handling.js';
import { UnitOrigin, type HttpUnit, type UnitContext, type UnitOfWork } from './unit-of-work.js';

/**
 * Knows which unit of work, and which buffer, the code that asks runs in.
 *
 * One `AsyncLocalStorage` with one object for the whole application: parallel branches, timers and callbacks of a unit of
 * work share its buffer; two units never do.
 */
export class BufferContext implements InvocationScope {
  /** Where requests of this application are marked. */
  readonly mark: symbol = Symbol('nestjs-emissions');
  private readonly storage = new AsyncLocalStorage<UnitOfWork>();
  private readonly outlet: Outlet;
  private readonly capacity: number;
  private readonly shares: boolean;
  /** The context of no request: it is made while the application is built. */
  private readonly outside: Surroundings = {
    around: asyncScope('nestjs-emissions'),
    storage: this.storage,
    open: () => this.open(),
  };
  /** What handlers that needed no buffer have had, when they succeeded, and when they did not. */
  private readonly committed: EmissionBuffer;
  private readonly terminated: EmissionBuffer;
  /** The unit of the handler that was called last, if it left it, for others of the same emission. */
  private left: Handling | undefined;

  /** @param shares whether handlers may share a unit: not where it matters afterwards how that of each has ended */
  constructor(outlet: Outlet, capacity: number, shares = true) {
    this.shares = shares;
    this.outlet = outlet;
    this.capacity = capacity;
    this.committed = EmissionBuffer.ended('committed', outlet, capacity);
    this.terminated = EmissionBuffer.ended('terminated', outlet, capacity);
  }

  /** The unit of work of the code that asks. */
  current(): UnitOfWork | undefined {
    const unit = this.storage.getStore();
    return unit?.transaction === undefined ? unit : unsuspended(unit);
  }

  /** Whether a buffer is active that has not ended. */
  get isActive(): boolean {
    return this.current()?.buffer?.isOpen === true;
  }

  /** A unit of work that nobody is in yet; without a buffer, for one that is read-only. */
  begin(options: {
    buffered: boolean;
    stamp?: (() => UnitContext | undefined) | undefined;
    http?: HttpUnit;
  }): UnitOfWork {
    return {
      origin: new UnitOrigin(undefined, options.stamp),
      buffer: options.buffered ? this.open() : undefined,
      http: options.http,
    };
  }

  /** A buffer that hands over to the pipeline. */
  open(outlet: Outlet = this.outlet): EmissionBuffer {
    return EmissionBuffer.begin(outlet, this.capacity);
  }

  /** Runs work in a unit; everything asynchronous that it starts stays in it. */
  enter<T>(unit: UnitOfWork, work: () => T): T {
    // A resource of its own and `enterWith` take less than half the time of `run`, which makes two contexts.
    const scope = asyncScope('nestjs-emissions:unit');
    return scope.runInAsyncScope(enter<T>, undefined, this.storage, unit, work);
  }

  /**
   * Starts a buffer for the rest of the current asynchronous execution; in a unit of work whose buffer was ended by hand, in
   * the place of that one.
   *
   * @throws BufferAlreadyStartedError when one is active
   */
  start(): EmissionBuffer {
    if (this.isActive) throw new BufferAlreadyStartedError();
    const unit = this.current();
    const buffer = unit?.buffer?.successor() ?? this.open();
    if (unit === undefined) this.storage.enterWith({ ...this.begin({ buffered: false }), buffer });
    else {
      unit.buffer = buffer;
      unit.http?.watch();
    }
    return buffer;
  }

  /** @throws BufferNotStartedError when none is active */
  active(verb: string): EmissionBuffer {
    const buffer = this.current()?.buffer;
    if (buffer?.isOpen !== true) throw new BufferNotStartedError(verb);
    return buffer;
  }

  /** Runs work in a buffer of its own, or, where one is active, in a savepoint of it. */
  runBuffered<T>(work: () => T | Promise<T>, context?: UnitContext): Promise<T> {
    const around = this.current();
    const unit: UnitOfWork = {
      origin: originOf(around, context),
      buffer: around?.buffer?.isOpen === true ? around.buffer.savepoint() : this.open(),
      transaction: around?.transaction,
    };
    try {
      const result = this.enter(unit, work);
      if (isThenable(result)) return this.finish(result, unit);
      const committed = commit(unit);
      return committed === undefined ? Promise.resolve(result) : after(committed, result);
    } catch (error) {
      unit.buffer?.terminate();
      return Promise.reject(error as Error);
    }
  }

  /**
   * Runs work in a buffer of its own that hands over to `outlet`, whatever is around it; it shares the unit's origin. Code in it for
   * which `isSuspended` is true is in the unit around it instead.
   */
  async runApart<T>(
    work: () => T | Promise<T>,
    outlet: Outlet,
    isSuspended?: () => boolean,
  ): Promise<T> {
    const around = this.current();
    const unit: UnitOfWork = {
      origin: originOf(around, undefined),
      buffer: this.open(outlet),
      transaction: isSuspended && { isSuspended, around },
    };
    return this.finish(
      this.enter(unit, async () => work()),
      unit,
    );
  }

  private async finish<T>(pending: PromiseLike<T>, unit: UnitOfWork): Promise<T> {
    let result: T;
    try {
      result = await pending;
    } catch (error) {
      unit.buffer?.terminate();
      throw error;
    }
    const committed = commit(unit);
    if (committed !== undefined) await committed;
    return result;
  }

  // This way and that of `callNext` are much alike: V8 has room to inline each, not one for both (CONTRIBUTING.md).
  call<C extends HandlerContext>(
    emission: Emission,
    method: BoundHandler,
    context: C,
    rules: CallRules<C>,
    outlet?: Outlet,
  ): boolean {
    // Where emissions for one handler follow, one for several is not to be kept in memory.
    if (this.left !== undefined && this.left.cause !== emission) this.left = undefined;
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
  ): boolean {
    const left = this.left;
    if (left === undefined || !left.take(emission))
      return this.callFirst(emission, method, context, rules);
    let result: unknown;
    try {
      result = left.again(method, context);
    } catch (error) {
      left.discard(this.terminated);
      throw error;
    }
    // So it is with most: nothing returned, nothing emitted.
    if (result !== undefined || !left.leaveUntouched(this.committed))
      return this.returned(result, left, context, rules);
    rules.over(result, context, emission);
    return false;
  }

  /** Calls a handler in a unit that others may have after it. */
  private callFirst<C extends HandlerContext>(
    emission: Emission,
    method: BoundHandler,
    context: C,
    rules: CallRules<C>,
  ): boolean {
    if (!this.shares) return this.call(emission, method, context, rules);
    this.left = undefined;
    const handling = new Handling(emission, this.outside);
    let result: unknown;
    try {
      result = handling.begin(method, context, true);
    } catch (error) {
      handling.discard(this.terminated);
      throw error;
    }
    return this.returned(result, handling, context, rules);
  }

  /** A handler that others may follow has returned; tells whether it goes on. */
  private returned<C extends HandlerContext>(
    result: unknown,
    handling: Handling,
    context: C,
    rules: CallRules<C>,
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
    this.leave(handling);
    return false;
  }

  /** Where a handler that is part of a commit is called. */
  private here(outlet: Outlet): Surroundings {
    const around = asyncScope('nestjs-emissions:commit');
    return { around, storage: this.storage, open: () => this.open(outlet) };
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
    const returned = (result: unknown): void => {
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
    void Promise.resolve(pending).then(returned, threw);
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

  /** The next handler of this emission may use the unit. Noting it anew would cost a tenth of a call: V8 notes what is new in what is old. */
  private leave(handling: Handling): void {
    handling.leave();
    if (this.left !== handling) this.left = handling;
  }

  /** A handler has returned: what it emitted is committed or discarded. */
  private settle(handling: Handling, kept: boolean): Promise<unknown> | undefined {
    if (kept) return handling.end(this.committed) && commit(handling);
    handling.discard(this.terminated);
    return undefined;
  }
}

/** The unit of work that code in this one is in: it may have left the transaction. */
function unsuspended(unit: UnitOfWork): UnitOfWork | undefined {
  let here: UnitOfWork | undefined = unit;
  while (here?.transaction?.isSuspended() === true) here = here.transaction.around;
  return here;
}

function after<T>(committed: Promise<unknown>, result: T): Promise<T> {
  return committed.then(() => result);
}

function enter<T>(storage: AsyncLocalStorage<UnitOfWork>, unit: UnitOfWork, work: () => T): T {
  storage.enterWith(unit);
  return work();
}

/** Commits a unit, unless that has been done by hand; a promise when the commit has to wait. */
export function commit({ buffer }: UnitOfWork): Promise<unknown> | undefined {
  if (buffer?.state !== 'open') return undefined;
  const committed = buffer.commit();
  return typeof committed === 'number' ? undefined : committed;
}

/** A nested run shares what its unit has in common, unless it says more. */
function originOf(around: UnitOfWork | undefined, context: UnitContext | undefined): UnitOrigin {
  if (around === undefined) return UnitOrigin.of(context);
  return context === undefined ? around.origin : around.origin.within(context);
}
