// Not the global one, which a test stops.
import { performance } from 'node:perf_hooks';

/** Keeps the processor busy, in milliseconds, as a slow function does that does not wait for anything. */
export function keepBusy(ms: number): void {
  const over = performance.now() + ms;
  while (performance.now() < over);
}

/** The next round of the event loop. */
export function nextRound(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Resolves when the condition holds, looking once per round of the event loop; gives up after very many rounds (seconds). */
export async function until(condition: () => boolean, rounds = 2_000_000): Promise<void> {
  for (let round = 0; !condition(); round++) {
    if (round === rounds)
      throw new Error(`Still not so after ${rounds} rounds: ${String(condition)}`);
    await nextRound();
  }
}

/** The same for what has to be asked for, one question behind another. */
export async function untilAsked(condition: () => Promise<boolean>, times = 20_000): Promise<void> {
  // oxlint-disable-next-line no-await-in-loop -- one behind another
  for (let time = 0; !(await condition()); time++) {
    if (time === times) throw new Error(`Still not so, asked ${times} times: ${String(condition)}`);
    // oxlint-disable-next-line no-await-in-loop
    await nextRound();
  }
}

/** Lets a number of rounds pass, to see that nothing happens in them. */
export async function rounds(count = 5): Promise<void> {
  for (let round = 0; round < count; round++) await nextRound();
}

/**
 * Tries until it works, as a consumer's retries do, and gives what came of it: once per round of the event loop, which waits for
 * whatever is under way. Gives up after very many rounds (seconds), with what went wrong last.
 */
export async function persist<T>(work: () => T | Promise<T>, rounds = 500_000): Promise<T> {
  for (let round = 1; ; round++) {
    try {
      return await work();
    } catch (error) {
      if (round === rounds) throw error;
      await nextRound();
    }
  }
}
