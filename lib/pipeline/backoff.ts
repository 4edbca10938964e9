import type { RetryOptions } from '../emission/consumer.options.js';

/** The pause after the n-th failed attempt, in milliseconds: exponential up to the longest, less a share left to chance. */
export function backoff(retry: RetryOptions, attempt: number): number {
  const pause = Math.min(retry.maxBackoffMs, retry.backoffMs * retry.factor ** (attempt - 1));
  return pause * (1 - retry.jitter * Math.random());
}
