import type { RetryOptions } from '../emission/consumer.options.js';

/** The pause after the n-th failed attempt, in milliseconds: exponential up to the longest, less a share left to chance. */
export function backoff(retry: RetryOptions, attempt: number): number {
  const { backoffMs, factor, maxBackoffMs, jitter } = retry;
  // A power that is too great for a number, times no pause at all, is no number.
  const pause = backoffMs === 0 ? 0 : Math.min(maxBackoffMs, backoffMs * factor ** (attempt - 1));
  return pause * (1 - jitter * Math.random());
}
