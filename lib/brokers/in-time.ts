import { BrokerConnectionError } from './broker.errors.js';

/**
 * What a promise brings, or an error when that takes longer than so many milliseconds; 0 waits for ever. What comes later is
 * let go of.
 *
 * @param what completes the sentence "… within 5000 ms."
 */
export async function inTime<T>(work: Promise<T>, timeoutMs: number, what: string): Promise<T> {
  if (timeoutMs === 0) return work;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new BrokerConnectionError(`${what} within ${timeoutMs} ms.`)),
      timeoutMs,
    );
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** What a promise brings, or the reason of the signal when that is aborted before. What comes later is let go of. */
export async function unlessAborted<T>(work: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (signal === undefined) return work;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason as Error);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort);
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** The longest that anything may take to close. */
const CLOSE_MS = 2_000;

/**
 * Waits until a client has closed, for as long as an answer may take, and 2 seconds at most: everything has been delivered or given
 * up, and a server that is gone has nothing to say to that. Resolves with whether it has.
 */
export async function closesInTime(work: unknown, timeoutMs: number): Promise<boolean> {
  const limitMs = timeoutMs === 0 ? CLOSE_MS : Math.min(timeoutMs, CLOSE_MS);
  return inTime(Promise.resolve(work), limitMs, 'The server has not answered').then(
    () => true,
    () => false,
  );
}
