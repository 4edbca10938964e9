import { AsyncLocalStorage } from 'node:async_hooks';
import type { Emission } from '../emission/emission.js';
import type { InvocationScope } from '../handlers/handler.invoker.js';
import { BufferAlreadyStartedError, BufferNotStartedError } from './buffer.errors.js';
import { EmissionBuffer, type Outlet } from './emission-buffer.js';
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
  readonly #storage = new AsyncLocalStorage<UnitOfWork>();
  readonly #outlet: Outlet;
  readonly #capacity: number;

  constructor(outlet: Outlet, capacity: number) {
    this.#outlet = outlet;
    this.#capacity = capacity;
  }

  /** The unit of work of the code that asks. */
  current(): UnitOfWork | undefined {
    return this.#storage.getStore();
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
    return new EmissionBuffer(outlet, this.#capacity);
  }

  /** Runs work in a unit; everything asynchronous that it starts stays in it. */
  enter<T>(unit: UnitOfWork, work: () => T): T {
    return this.#storage.run(unit, work);
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
    if (buffer?.isOpen !== true) throw new BufferNotStartedError(verb);
    return buffer;
  }

  /** Runs work in a buffer of its own, or, where one is active, in a savepoint of it. */
  async runBuffered<T>(work: () => T | Promise<T>, context?: UnitContext): Promise<T> {
    const around = this.current();
    const unit: UnitOfWork = {
      origin: originOf(around, context),
      buffer: around?.buffer?.isOpen === true ? around.buffer.savepoint() : this.open(),
    };
    let result: T;
    try {
      result = await this.#storage.run(unit, work);
    } catch (error) {
      unit.buffer?.terminate();
      throw error;
    }
    const committed = commit(unit);
    if (committed !== undefined) await committed;
    return result;
  }

  run<T>(
    cause: Emission,
    work: () => T | Promise<T>,
    keep: (result: T) => boolean,
    outlet?: Outlet,
  ): T | Promise<T> {
    const unit: UnitOfWork = {
      origin: new UnitOrigin(cause, undefined),
      buffer: this.open(outlet),
    };
    const finish = (result: T): T | Promise<T> => {
      if (!keep(result)) {
        unit.buffer?.terminate();
        return result;
      }
      const committed = commit(unit);
      return committed === undefined ? result : committed.then(() => result);
    };
    const fail = (error: unknown): never => {
      unit.buffer?.terminate();
      throw error;
    };
    let result: T | Promise<T>;
    try {
      result = this.#storage.run(unit, work);
    } catch (error) {
      return fail(error);
    }
    return isThenable(result) ? Promise.resolve(result).then(finish, fail) : finish(result);
  }
}

/** Commits a unit, unless that has been done by hand; a promise when the commit has to wait. */
export function commit({ buffer }: UnitOfWork): Promise<unknown> | undefined {
  if (buffer?.state !== 'open') return undefined;
  const committed = buffer.commit();
  return typeof committed === 'number' ? undefined : committed;
}

/** A nested run shares what its unit has in common, unless it says more. */
function originOf(around: UnitOfWork | undefined, context: UnitContext | undefined): UnitOrigin {
  if (around === undefined) return new UnitOrigin(undefined, context && (() => context));
  return context === undefined ? around.origin : around.origin.within(context);
}

function isThenable<T>(value: T | Promise<T>): value is Promise<T> {
  return (
    typeof value === 'object' &&
    value !== null &&
    'then' in value &&
    typeof value.then === 'function'
  );
}
