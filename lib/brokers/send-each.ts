import type { Emission } from '../emission/emission.js';
import { BrokerConnectionError } from './broker.errors.js';
import type { Undelivered } from './undelivered.js';

/** How long an answer may take, and what is said when it takes longer. */
export interface AnswerLimit {
  /** In milliseconds; 0 waits for ever. */
  readonly timeoutMs: number;
  /** Completes the sentence "… within 5000 ms." */
  readonly late: string;
}

/**
 * Sends what there is of a batch, all of it before any is answered, and resolves when each is answered or out of time. What failed is
 * noted, and nothing else: what has been answered is not sent again because of another one.
 */
export async function sendEach<T extends { readonly emission: Emission }>(
  all: readonly T[],
  undelivered: Undelivered,
  { timeoutMs, late }: AnswerLimit,
  send: (one: T) => Promise<unknown>,
): Promise<void> {
  if (all.length === 0) return;
  const open = new Set(all);
  const { promise, resolve } = Promise.withResolvers<void>();
  const answered = (one: T): void => {
    if (open.delete(one) && open.size === 0) resolve();
  };
  const failed = (one: T, error: unknown): void => {
    if (open.has(one)) undelivered.add(one.emission, error);
    answered(one);
  };
  for (const one of all) {
    try {
      send(one).then(
        () => answered(one),
        (error: unknown) => failed(one, error),
      );
    } catch (error) {
      failed(one, error);
    }
  }
  const expire = (): void => {
    const error = new BrokerConnectionError(`${late} within ${timeoutMs} ms.`);
    for (const one of open) failed(one, error);
  };
  const timer = timeoutMs === 0 ? undefined : setTimeout(expire, timeoutMs);
  await promise;
  clearTimeout(timer);
}
