import type { DeliveryContext } from '../emission/adapter.js';
import { DeliveryTimeoutError, PipelineClosedError, ShutdownError } from './pipeline.errors.js';

/** One call of an adapter. The abort controller is made when somebody asks for its signal: most never do. */
export class Attempt implements DeliveryContext {
  readonly #started = performance.now();
  #controller: AbortController | undefined;
  #reason: unknown;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    readonly consumer: string,
    readonly attempt: number,
  ) {}

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** How long ago it began, in milliseconds. */
  get durationMs(): number {
    return performance.now() - this.#started;
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
    clearTimeout(this.#timer);
  }

  abort(reason: Error): void {
    this.#reason = reason;
    clearTimeout(this.#timer);
    this.#controller?.abort(reason);
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
    const call = new Attempt(name, 1);
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
