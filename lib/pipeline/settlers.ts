import { LONGEST_TIMER_MS } from '../emission/longest-timer.js';
import { SettleTimeoutError } from './pipeline.errors.js';

/** Those who wait until nothing is pending any more. */
export class Settlers {
  readonly #waiting = new Set<() => void>();

  /** Whether there are any. */
  get waiting(): boolean {
    return this.#waiting.size > 0;
  }

  /**
   * Resolves with the next `release`.
   *
   * @throws SettleTimeoutError when that takes longer than `timeoutMs`, with what `busy` says then
   */
  wait(timeoutMs: number, busy: () => string): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(
        () => {
          this.#waiting.delete(done);
          reject(new SettleTimeoutError(timeoutMs, busy()));
        },
        Math.min(timeoutMs, LONGEST_TIMER_MS),
      );
      this.#waiting.add(done);
    });
  }

  release(): void {
    for (const done of this.#waiting) done();
  }
}
