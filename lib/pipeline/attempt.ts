import type { DeliveryContext } from '../emission/adapter.js';
import type { Emission } from '../emission/emission.js';
import { NO_KEYS } from './backlog.js';
import { DeliveryTimeoutError, PipelineClosedError, ShutdownError } from './pipeline.errors.js';

/** One call of an adapter. The abort controller is made when somebody asks for its signal: most never do. */
export class Attempt implements DeliveryContext {
  /** Undefined: it is not timed. */
  readonly #started: number | undefined;
  #controller: AbortController | undefined;
  #reason: unknown;
  #timer: NodeJS.Timeout | undefined;

  /** Said by a handler that the emission does not concern. */
  isIgnored = false;
  /** Where {@link Running} keeps it; -1: nowhere. */
  at = -1;

  /**
   * @param batch what it delivers
   * @param keys what is busy meanwhile
   * @param timed whether somebody will ask how long it took: the clock costs as much as all else here
   */
  constructor(
    readonly consumer: string,
    readonly attempt: number,
    public batch: readonly Emission[],
    public keys: ReadonlySet<string>,
    timed: boolean,
  ) {
    this.#started = timed ? performance.now() : undefined;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** Whether it is as it was made: nobody has asked for its signal or how long it took, and it was neither ended nor given up. */
  get isUntouched(): boolean {
    return (
      this.#controller === undefined &&
      this.#started === undefined &&
      this.#reason === undefined &&
      !this.isIgnored
    );
  }

  /** How long ago it began, in milliseconds; 0 when it is not timed. */
  get durationMs(): number {
    return this.#started === undefined ? 0 : performance.now() - this.#started;
  }

  /** Whether it was given up before it settled; says so without making a signal. */
  get aborted(): boolean {
    return this.#reason !== undefined;
  }

  /** Calls back unless the attempt is over before; 0 sets no limit. */
  limit(timeoutMs: number, exceeded: () => void): void {
    if (timeoutMs > 0) this.#timer = setTimeout(exceeded, timeoutMs);
  }

  /** The call has settled. */
  end(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
  }

  abort(reason: Error): void {
    this.#reason = reason;
    clearTimeout(this.#timer);
    this.#controller?.abort(reason);
  }
}

/** The attempts that are under way; each knows its place, so that none has to be looked for. */
export class Running {
  readonly all: Attempt[] = [];

  add(attempt: Attempt): void {
    attempt.at = this.all.push(attempt) - 1;
  }

  /** @returns whether it was one of them */
  delete(attempt: Attempt): boolean {
    if (attempt.at < 0) return false;
    const last = this.all.pop()!;
    if (last !== attempt) {
      this.all[attempt.at] = last;
      last.at = attempt.at;
    }
    attempt.at = -1;
    return true;
  }

  /** Forgets them all, and returns them. */
  clear(): readonly Attempt[] {
    const all = this.all.splice(0);
    for (const attempt of all) attempt.at = -1;
    return all;
  }
}

/** Calls made once, outside any queue, each with a time limit of its own; shutdown gives up those that are left. */
export class LimitedCalls {
  readonly #running = new Map<Attempt, (error: Error) => void>();

  /**
   * Calls with a time limit in milliseconds (0: none).
   *
   * @throws DeliveryTimeoutError when it is exceeded, PipelineClosedError when the application closes; else as the work does
   */
  async run(
    name: string,
    timeoutMs: number,
    work: (call: DeliveryContext) => void | Promise<void>,
  ): Promise<void> {
    const call = new Attempt(name, 1, [], NO_KEYS, true);
    try {
      await Promise.race([
        work(call),
        new Promise<never>((_, reject) => {
          this.#running.set(call, reject);
          call.limit(timeoutMs, () => {
            const error = new DeliveryTimeoutError(name, timeoutMs);
            call.abort(error);
            reject(error);
          });
        }),
      ]);
    } finally {
      call.end();
      this.#running.delete(call);
    }
  }

  close(): void {
    for (const [call, reject] of this.#running) {
      call.abort(new ShutdownError());
      reject(new PipelineClosedError());
    }
  }
}
