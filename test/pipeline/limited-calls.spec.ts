import { describe, expect, it, jest } from '@jest/globals';
import { DeliveryTimeoutError, PipelineClosedError, ShutdownError } from 'nestjs-emissions';
import { LimitedCalls } from '../../lib/pipeline/limited-calls.js';
import { fakeTime, pass } from '../support/time.js';
import { rounds } from '../support/until.js';

fakeTime();

const calls = new LimitedCalls();

describe('A call with a time limit', () => {
  it('resolves as the work does, and leaves no timer behind', async () => {
    await expect(calls.run('x', 50, () => Promise.resolve())).resolves.toBeUndefined();
    await expect(calls.run('x', 50, () => {})).resolves.toBeUndefined();
    expect(jest.getTimerCount()).toBe(0);
  });

  it('rejects as the work throws or rejects', async () => {
    const error = new Error('no');
    await expect(calls.run('x', 50, () => Promise.reject(error))).rejects.toBe(error);
    const throwing = () => {
      throw error;
    };
    await expect(calls.run('x', 50, throwing)).rejects.toBe(error);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('rejects when the time is over; the signal is aborted, and what the work does then is ignored', async () => {
    let signal: AbortSignal | undefined;
    let fail: (error: Error) => void = () => {};
    const limited = calls
      .run('x', 50, (call) => {
        signal = call.signal;
        return new Promise((_, reject) => (fail = reject));
      })
      .catch((error: unknown) => error);
    await pass(50);
    fail(new Error('late'));
    await rounds();

    expect(await limited).toBeInstanceOf(DeliveryTimeoutError);
    expect(signal!.reason).toBe(await limited);
  });

  it('rejects when the application closes; the signal is aborted, and calls that are over are not minded', async () => {
    const closing = new LimitedCalls();
    await closing.run('over', 50, () => {});
    let signal: AbortSignal | undefined;
    const stuck = closing.run('stuck', 0, (call) => {
      signal = call.signal;
      return new Promise(() => {});
    });
    closing.close();

    await expect(stuck).rejects.toThrow(PipelineClosedError);
    expect(signal!.reason).toBeInstanceOf(ShutdownError);
  });

  it('has all the time there is when the limit is 0', async () => {
    let done: () => void = () => {};
    let over = false;
    const limited = calls
      .run('x', 0, () => new Promise((resolve) => (done = resolve)))
      .then(() => (over = true));
    await pass(1_000_000);
    expect(over).toBe(false);
    done();

    await expect(limited).resolves.toBe(true);
  });
});
