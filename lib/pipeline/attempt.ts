import type { SingleCall } from '../emission/destination.js';
import type { Emission } from '../emission/emission.js';
import { NO_KEYS } from './backlog.js';

/** Who makes attempts, and is told how each that went on has ended. */
export interface AttemptOwner {
  /** The consumer, for people. */
  readonly name: string;
  delivered(attempt: Attempt): void;
  failed(attempt: Attempt, error: unknown): void;
}

/** Makes an owner that waits for a promise instead, and needs not be told. */
export function awaited(name: string): AttemptOwner {
  return { name, delivered: () => {}, failed: () => {} };
}

/** What gives an attempt up; made when there is a time limit, or somebody asks for its signal: most never do. */
interface Abortion {
  controller: AbortController | undefined;
  reason: unknown;
  timer: NodeJS.Timeout | undefined;
}

/** One call of an adapter or a handler. Adapters have it before them: all it knows is private, so that it can be frozen, copied, logged. */
export class Attempt implements SingleCall {
  readonly #attempt: number;
  #isIgnored = false;
  #keys: ReadonlySet<string> = NO_KEYS;
  #at = -1;
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
    this.#attempt = attempt;
    this.#of = of;
    this.#started = timed ? performance.now() : undefined;
  }

  get attempt(): number {
    return this.#attempt;
  }

  /** Said by a handler that the emission does not concern. */
  get isIgnored(): boolean {
    return this.#isIgnored;
  }

  set isIgnored(isIgnored: boolean) {
    this.#isIgnored = isIgnored;
  }

  /** What is busy meanwhile. */
  get keys(): ReadonlySet<string> {
    return this.#keys;
  }

  set keys(keys: ReadonlySet<string>) {
    this.#keys = keys;
  }

  /** Its slot among those under way; -1: it is not. */
  get at(): number {
    return this.#at;
  }

  set at(slot: number) {
    this.#at = slot;
  }

  get consumer(): string {
    return this.#owner.name;
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
    this.#keys = keys;
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
