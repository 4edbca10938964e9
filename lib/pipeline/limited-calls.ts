import type { DeliveryContext } from '../emission/adapter.js';
import { Attempt, awaited } from './attempt.js';
import { DeliveryTimeoutError, PipelineClosedError, ShutdownError } from './pipeline.errors.js';

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
    const call = new Attempt(awaited(name), 1, undefined, true);
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
