import type { CallMaker, SingleCall } from '../emission/destination.js';
import type { Emission } from '../emission/emission.js';

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

/**
 * One call of an adapter or a handler, as whoever makes it knows it. They are not given it: what they are told of it is an object with
 * nothing in it that they could change ({@link AttemptContext}; a handler's context).
 */
export class Attempt implements SingleCall, CallMaker {
  /** 1 for the first. */
  readonly attempt: number;
  /** Whether a handler said that the emission does not concern it. */
  isIgnored: boolean;
  /** What is busy meanwhile; undefined: nothing. */
  keys: ReadonlySet<string> | undefined;
  /** Its slot among those under way; -1: it is not. */
  at: number;
  private readonly owner: AttemptOwner;
  /** What it delivers: one emission, or several. */
  private of: Emission | readonly Emission[] | undefined;
  /** Undefined: it is not timed. */
  private readonly started: number | undefined;
  private abortion: Abortion | undefined;

  /**
   * @param of what it delivers; nothing, when that is nobody's business
   * @param timed whether somebody will ask how long it took: the clock costs as much as all else here
   */
  constructor(
    owner: AttemptOwner,
    attempt: number,
    of: Emission | readonly Emission[] | undefined,
    timed: boolean,
  ) {
    // First what V8 makes sure of before it stores it: the rest is then stored once, not as `undefined` before (10 of some 480
    // instructions a call).
    this.of = of;
    this.owner = owner;
    this.attempt = attempt;
    this.isIgnored = false;
    this.keys = undefined;
    this.at = -1;
    this.started = timed ? performance.now() : undefined;
    this.abortion = undefined;
  }

  own(): this {
    return this;
  }

  /** Says what it delivers, when that was nobody's business before. */
  delivers(of: Emission): void {
    this.of = of;
  }

  get consumer(): string {
    return this.owner.name;
  }

  get signal(): AbortSignal {
    const abortion = this.toAbort();
    if (abortion.controller === undefined) {
      abortion.controller = new AbortController();
      if (abortion.reason !== undefined) abortion.controller.abort(abortion.reason);
    }
    return abortion.controller.signal;
  }

  get batch(): readonly Emission[] {
    const of = this.of;
    if (of === undefined) return [];
    return Array.isArray(of) ? (of as readonly Emission[]) : [of as Emission];
  }

  /** How many that are. */
  get size(): number {
    if (this.of === undefined) return 0;
    return Array.isArray(this.of) ? this.of.length : 1;
  }

  /** How long ago it began, in milliseconds; 0 when it is not timed. */
  get durationMs(): number {
    return this.started === undefined ? 0 : performance.now() - this.started;
  }

  /** Whether it was given up before it settled; says so without making a signal. */
  get aborted(): boolean {
    return this.abortion?.reason !== undefined;
  }

  ignored(): void {
    this.isIgnored = true;
  }

  succeeded(): void {
    this.owner.delivered(this);
  }

  failed(error: unknown): void {
    this.owner.failed(this, error);
  }

  /** Calls back unless the attempt is over before; 0 sets no limit. */
  limit(timeoutMs: number, exceeded: () => void): void {
    if (timeoutMs > 0) this.toAbort().timer = setTimeout(exceeded, timeoutMs);
  }

  /** The call has settled. */
  end(): void {
    if (this.abortion !== undefined) clearTimeout(this.abortion.timer);
  }

  abort(reason: Error): void {
    const abortion = this.toAbort();
    abortion.reason = reason;
    clearTimeout(abortion.timer);
    abortion.controller?.abort(reason);
  }

  private toAbort(): Abortion {
    return (this.abortion ??= { controller: undefined, reason: undefined, timer: undefined });
  }
}
