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
