import { AsyncLocalStorage } from 'node:async_hooks';
import { asyncScope } from '../emission/async-scope.js';
import { isThenable } from '../emission/is-thenable.js';
import { BufferAlreadyStartedError, BufferNotStartedError } from './buffer.errors.js';
import { EmissionBuffer, type Outlet } from './emission-buffer.js';
import type { Surroundings } from './handling.js';
import { UnitOrigin, type HttpUnit, type UnitContext, type UnitOfWork } from './unit-of-work.js';

/**
 * Knows which unit of work, and which buffer, the code that asks runs in.
 *
 * One `AsyncLocalStorage` with one object for the whole application: parallel branches, timers and callbacks of a unit of
 * work share its buffer; two units never do.
 */
export class BufferContext {
  /** Where requests of this application are marked. */
  readonly mark: symbol = Symbol('nestjs-emissions');
  readonly #storage = new AsyncLocalStorage<UnitOfWork>();
  readonly #outlet: Outlet;
  readonly #capacity: number;

  constructor(outlet: Outlet, capacity: number) {
    this.#outlet = outlet;
    this.#capacity = capacity;
  }

  /** The unit of work of the code that asks. */
  current(): UnitOfWork | undefined {
    const unit = this.#storage.getStore();
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
  open(outlet: Outlet = this.#outlet): EmissionBuffer {
    return EmissionBuffer.begin(outlet, this.#capacity);
  }

  /** A buffer that has ended and never took anything, to stand where there was none. */
  ended(state: 'committed' | 'terminated'): EmissionBuffer {
    return EmissionBuffer.ended(state, this.#outlet, this.#capacity);
  }

  /** What begins here finds the async context there is now, and hands over to `outlet`. */
  surroundings(scope: string, outlet?: Outlet): Surroundings {
    return { around: asyncScope(scope), storage: this.#storage, open: () => this.open(outlet) };
  }

  /** Runs work in a unit; everything asynchronous that it starts stays in it. */
  enter<T>(unit: UnitOfWork, work: () => T): T {
    // A resource of its own and `enterWith` take less than half the time of `run`, which makes two contexts.
    const scope = asyncScope('nestjs-emissions:unit');
    return scope.runInAsyncScope(enter<T>, undefined, this.#storage, unit, work);
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
    if (unit === undefined) this.#storage.enterWith({ ...this.begin({ buffered: false }), buffer });
    else {
      unit.buffer = buffer;
      unit.http?.watch();
    }
    return buffer;
  }

  /** @throws BufferNotStartedError when none is active */
  active(verb: string): EmissionBuffer {
    const buffer = this.current()?.buffer;
    if (buffer?.isOpen !== true) throw new BufferNotStartedError(verb, buffer?.state);
    return buffer;
  }

  /** Runs work in a buffer of its own, or, where one is active, in a savepoint of it. */
  runBuffered<T>(work: () => T | Promise<T>, context?: UnitContext): Promise<T> {
    const around = this.current();
    const origin = originOf(around, context);
    const buffer = around?.buffer?.isOpen === true ? around.buffer.savepoint() : this.open();
    const unit: UnitOfWork = { origin, buffer, transaction: around?.transaction };
    try {
      const result = this.enter(unit, work);
      if (isThenable(result)) return this.#finish(result, unit);
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
    return this.#finish(
      this.enter(unit, async () => work()),
      unit,
    );
  }

  async #finish<T>(pending: PromiseLike<T>, unit: UnitOfWork): Promise<T> {
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
