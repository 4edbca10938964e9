import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { SlowClients } from '../../lib/gateway/slow-clients.js';

describe('Slow clients', () => {
  afterEach(() => void jest.useRealTimers());

  it('count for ever, and for a minute as of lately', () => {
    jest.useFakeTimers();
    const slow = new SlowClients();
    expect([slow.count, slow.lately]).toEqual([0, 0]);
    slow.add();
    jest.advanceTimersByTime(30_000);
    slow.add();
    slow.add();
    expect([slow.count, slow.lately]).toEqual([3, 3]);
    jest.advanceTimersByTime(30_000);
    expect([slow.count, slow.lately]).toEqual([3, 2]);
    jest.advanceTimersByTime(30_000);
    expect([slow.count, slow.lately]).toEqual([3, 0]);
  });
});
