import { afterEach, beforeEach, jest } from '@jest/globals';
import { rounds } from './until.js';

/** Stops the clock for every test of the file; `pass` moves it. */
export function fakeTime(): void {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });
}

/** Lets time pass, and what it causes happen. */
export async function pass(ms: number): Promise<void> {
  await rounds();
  await jest.advanceTimersByTimeAsync(ms);
  await rounds();
}
