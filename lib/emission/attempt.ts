import type { DeliveryContext } from './adapter.js';
import type { Emission } from './emission.js';
import type { Transact, TransactionSource } from './transaction-source.js';

/** Of what has none, and of a consumer whose calls never run side by side. */
export const NO_KEYS: ReadonlySet<string> = new Set();

/** Who is called. */
export interface Callee {
  readonly name: string;
  /** Runs work in a transaction; a handler's. */
  readonly transact?: Transact;
}

/** Who makes attempts, and is told how each that went on has ended. */
export interface AttemptOwner {
  readonly destination: Callee;
  delivered(attempt: Attempt): void;
  failed(attempt: Attempt, error: unknown): void;
}

/** Makes an owner that waits for a promise instead, and needs not be told. */
export function awaited(name: string): AttemptOwner {
  return { destination: { name }, delivered: () => {}, failed: () => {} };
}

/** What gives an attempt up; made when there is a time limit, or somebody asks for its signal: most never do. */
interface Abortion {
  controller: AbortController | undefined;
  reason: unknown;
  timer: NodeJS.Timeout | undefined;
}

/**
 * One call: what the pipeline knows of it, and what an adapter or a handler is told. It is never used for another one, as who was
 * called may keep it.
 *
 * One object and one class for all of that: with two objects, calls of handlers cost 5 to 9 % more, with a class of their own as
 * much again (V8 does not inline what an inherited constructor does).
 */
export class Attempt<C extends Callee = Callee> implements DeliveryContext {
  readonly attempt: number;
  /** Said by a handler that the emission does not concern. */
  isIgnored = false;
  /** What is busy meanwhile. */
  keys: ReadonlySet<string> = NO_KEYS;
  /** Its slot among those under way; -1: it is not. */
  at = -1;
  readonly #owner: AttemptOwner;
  /** What it delivers: one emission, or several. */
  #of: Emission | readonly Emission[] | undefined;
  /** Undefined: it is not timed. */
  readonly #started: number | undefined;
  #abortion: Abortion | undefined = undefined;

  /**
   * @param of what it delivers; when that is not known until it goes on, `goOn` says it
   * @param timed whether somebody will ask how long it took: the clock costs as much as all else here
   */
  constructor(
    owner: AttemptOwner,
    attempt: number,
    of: Emission | readonly Emission[] | undefined,
    timed: boolean,
  ) {
    this.#owner = owner;
    this.attempt = attempt;
    this.#of = of;
    this.#started = timed ? performance.now() : undefined;
  }

  get destination(): C {
    return this.#owner.destination as C;
  }

  get consumer(): string {
    return this.destination.name;
  }

  /** The same, for a handler. */
  get handlerId(): string {
    return this.destination.name;
  }

  /** Runs work in a transaction, for a handler. */
  transaction<Tx, T>(
    source: TransactionSource<Tx>,
    work: (transaction: Tx) => T | Promise<T>,
  ): Promise<T> {
    return this.destination.transact!(source, work);
  }

  get signal(): AbortSignal {
    const abortion = this.#toAbort();
    if (abortion.controller === undefined) {
      abortion.controller = new AbortController();
      if (abortion.reason !== undefined) abortion.controller.abort(abortion.reason);
    }
    return abortion.controller.signal;
  }

  get batch(): readonly Emission[] {
    const of = this.#of;
    if (of === undefined) return [];
    return Array.isArray(of) ? (of as readonly Emission[]) : [of as Emission];
  }

  /** How many that are. */
  get size(): number {
    if (this.#of === undefined) return 0;
    return Array.isArray(this.#of) ? this.#of.length : 1;
  }

  /** How long ago it began, in milliseconds; 0 when it is not timed. */
  get durationMs(): number {
    return this.#started === undefined ? 0 : performance.now() - this.#started;
  }

  /** Whether it was given up before it settled; says so without making a signal. */
  get aborted(): boolean {
    return this.#abortion?.reason !== undefined;
  }

  /** It goes on, and is about this emission. */
  goOn(emission: Emission, keys: ReadonlySet<string>): void {
    this.#of = emission;
    this.keys = keys;
  }

  succeeded(): void {
    this.#owner.delivered(this);
  }

  failed(error: unknown): void {
    this.#owner.failed(this, error);
  }

  /** Calls back unless the attempt is over before; 0 sets no limit. */
  limit(timeoutMs: number, exceeded: () => void): void {
    if (timeoutMs > 0) this.#toAbort().timer = setTimeout(exceeded, timeoutMs);
  }

  /** The call has settled. */
  end(): void {
    if (this.#abortion !== undefined) clearTimeout(this.#abortion.timer);
  }

  abort(reason: Error): void {
    const abortion = this.#toAbort();
    abortion.reason = reason;
    clearTimeout(abortion.timer);
    abortion.controller?.abort(reason);
  }

  #toAbort(): Abortion {
    return (this.#abortion ??= { controller: undefined, reason: undefined, timer: undefined });
  }
}
