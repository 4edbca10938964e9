// Not the global ones: those stand still in a test that has stopped the clock.
import { clearTimeout, setImmediate, setTimeout } from 'node:timers';
import type { Emissions } from '../emissions.service.js';
import { SettleTimeoutError } from '../pipeline/pipeline.errors.js';
import { TestingError } from './testing.errors.js';

/** How many rounds of the event loop without an end mean that something waits for time to pass. */
const QUIET_ROUNDS = 25;
const STEP_MS = 100;
const TIMEOUT_MS = 4_000;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** How the clock is moved that the test has stopped. */
export interface StoppedClockOptions {
  /**
   * Moves it by milliseconds. By default, the fake timers of jest, vitest or sinon are found by themselves; with those of
   * `node:test`, say `(ms) => mock.timers.tick(ms)`.
   */
  advance?: (ms: number) => unknown;
}

/** The clock of fake timers by `@sinonjs/fake-timers`, which jest, vitest and sinon have. */
interface FakeClock {
  tickAsync(ms: number): Promise<number>;
  nextAsync(): Promise<number>;
  countTimers(): number;
}

/**
 * Lets time pass in a test that has stopped the clock, and lets everything happen that this brings about: retries that are
 * due, calls that exceed their `timeoutMs`, emissions that outlive their `ttlMs`, batches that have waited long enough.
 *
 * ```ts
 * jest.useFakeTimers();
 * await emissions.run(() => service.place(order)); // its handler fails, and is to be tried again in a minute
 * await passTime(60_000);
 * ```
 *
 * @throws TestingError when the clock is not stopped
 */
export async function passTime(ms: number, options: StoppedClockOptions = {}): Promise<void> {
  const clock = fakeClock();
  const advance = options.advance ?? clock?.tickAsync.bind(clock);
  if (advance === undefined) throw notStopped('passTime(ms)');
  await rounds();
  await advance(ms);
  await rounds();
}

/**
 * As `emissions.settled()`, in a test that has stopped the clock, and without waiting: whenever nothing happens any more, it
 * moves the clock on to what is due next, until queues, retries and cascades are through. A handler that waits for something
 * outside (a database, a network) counts as doing nothing: its `timeoutMs` may come early. There, use {@link passTime}.
 *
 * @param options `timeoutMs`: how long it may take in real milliseconds (default 4000)
 * @throws TestingError when the clock is not stopped
 * @throws SettleTimeoutError naming who is still busy
 */
export async function settledInNoTime(
  emissions: Emissions,
  options: StoppedClockOptions & { timeoutMs?: number } = {},
): Promise<void> {
  const clock = fakeClock();
  const { advance, timeoutMs = TIMEOUT_MS } = options;
  if (advance === undefined && clock === undefined) throw notStopped('settledInNoTime(emissions)');
  let isOver = false;
  let isLate = false;
  const timer = setTimeout(() => (isLate = true), timeoutMs);
  // Its own limit stands on the stopped clock, and is not to be reached.
  const settled = emissions.settled({ timeoutMs: LONGEST_TIMER_MS });
  const over = (): void => void (isOver = true);
  settled.then(over, over);
  try {
    while (!isOver && !isLate) {
      await rounds(() => isOver);
      if (isOver) break;
      if (advance !== undefined) await advance(STEP_MS);
      else if (clock!.countTimers() > 1) await clock!.nextAsync();
    }
    if (!isOver) throw new SettleTimeoutError(timeoutMs, busy(emissions));
    await settled;
  } finally {
    clearTimeout(timer);
  }
}

function busy(emissions: Emissions): string {
  const { adapters, handlers } = emissions.describe();
  const pending = [
    ...adapters.map(({ name, pending: count }) => ({ who: `adapter ${name}`, count })),
    ...handlers.map(({ id, pending: count }) => ({ who: `handler ${id}`, count })),
  ];
  const left = pending.filter(({ count }) => count > 0);
  return left.map(({ who, count }) => `${who}: ${count}`).join(', ') || 'commits in progress';
}

function fakeClock(): FakeClock | undefined {
  return (globalThis.setTimeout as { clock?: FakeClock }).clock;
}

async function rounds(until: () => boolean = () => false): Promise<void> {
  for (let round = 0; round < QUIET_ROUNDS && !until(); round++) {
    // oxlint-disable-next-line no-await-in-loop -- one behind another
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

function notStopped(call: string): TestingError {
  return new TestingError(
    `${call} moves a clock that the test has stopped, and this one runs: call jest.useFakeTimers() or vi.useFakeTimers() first. ` +
      `With other fake timers, say how they are moved: { advance: (ms) => mock.timers.tick(ms) }.`,
  );
}
