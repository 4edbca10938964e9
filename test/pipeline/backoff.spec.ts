import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { backoff } from '../../lib/pipeline/backoff.js';

const retry = { attempts: 5, backoffMs: 100, factor: 2, maxBackoffMs: 1_000, jitter: 0 };

describe('The pause before a retry', () => {
  it('grows by the factor with each attempt, up to the longest', () => {
    expect([1, 2, 3, 4, 5, 50].map((attempt) => backoff(retry, attempt))).toEqual([
      100, 200, 400, 800, 1_000, 1_000,
    ]);
  });

  it('stays the same with a factor of 1', () => {
    expect([1, 2, 9].map((attempt) => backoff({ ...retry, factor: 1 }, attempt))).toEqual([
      100, 100, 100,
    ]);
  });

  it('is at most the exponential one, and at least that less the share left to chance', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.integer({ min: 1, max: 20 }),
        (jitter, attempt) => {
          const full = backoff(retry, attempt);
          const pause = backoff({ ...retry, jitter }, attempt);
          expect(pause).toBeLessThanOrEqual(full);
          expect(pause).toBeGreaterThanOrEqual(full * (1 - jitter));
        },
      ),
    );
  });

  it('differs from time to time when something is left to chance', () => {
    const pauses = new Set(Array.from({ length: 50 }, () => backoff({ ...retry, jitter: 0.5 }, 1)));

    expect(pauses.size).toBeGreaterThan(40);
  });

  it('is none, however many attempts there were, when the first pause is none', () => {
    expect(backoff({ ...retry, backoffMs: 0, factor: 100 }, 5_000)).toBe(0);
  });
});
