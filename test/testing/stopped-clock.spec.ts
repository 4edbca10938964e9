import { setTimeout as laterOn } from 'node:timers';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Emissions, OnEmission, SettleTimeoutError, type HandlerContext } from 'nestjs-emissions';
import { passTime, settledInNoTime, TestingError } from 'nestjs-emissions/testing';
import { recorded } from '../support/recorded.js';
import { listen } from '../support/signals.js';

const MINUTE = 60_000;

@Injectable()
class Bank {
  readonly attempts: number[] = [];
  held = Promise.withResolvers<void>();
  constructor(private readonly emissions: Emissions) {}

  @OnEmission('order.placed', {
    retry: { attempts: 4, backoffMs: MINUTE, maxBackoffMs: 60 * MINUTE, jitter: 0 },
  })
  async charge(_: unknown, __: unknown, { attempt }: HandlerContext) {
    this.attempts.push(attempt);
    await Promise.resolve();
    if (attempt < 4) throw new Error('the bank is closed');
    this.emissions.emit('order.charged');
  }

  @OnEmission('order.charged')
  async thank() {
    await Promise.resolve();
    this.emissions.emit('customer.thanked');
  }

  @OnEmission('order.stuck', { timeoutMs: 10 * MINUTE })
  stuck() {
    return new Promise(() => {});
  }

  @OnEmission('order.queued', { concurrency: 1 })
  queue() {
    return this.held.promise;
  }
}

const boot = () => recorded('default', { providers: [Bank] });

/** Of all of jest's fakes, also those that this project's own configuration leaves out. */
function stopTheClock(): void {
  jest.useFakeTimers({ doNotFake: [] });
}

describe('a test that has stopped the clock', () => {
  afterEach(() => {
    jest.useRealTimers();
  });

  it('lets deliveries go on, however many there are and whatever of the clock is faked', async () => {
    await using app = await boot();
    const calls: unknown[] = [];
    app.emissions.subscribe('many', async (payload) => {
      await Promise.resolve();
      calls.push(payload);
    });
    stopTheClock();
    const before = Date.now();
    await app.emissions.run(() => {
      for (let i = 0; i < 40; i++) app.emissions.emit('many', i);
    });
    await settledInNoTime(app.emissions);

    expect(calls).toHaveLength(40);
    expect(Date.now()).toBe(before);
  });

  it('lets retries pass at once, with the cascades behind them', async () => {
    await using app = await boot();
    stopTheClock();
    const before = Date.now();
    await app.emit('order.placed');
    await settledInNoTime(app.emissions);
    expect(app.app.get(Bank).attempts).toEqual([1, 2, 3, 4]);
    app.recorder.expectEmittedInOrder(['order.placed', 'order.charged', 'customer.thanked']);
    expect(Date.now() - before).toBe(7 * MINUTE);
    jest.useRealTimers();
  });

  it('lets a time-out pass at once', async () => {
    await using app = await boot();
    stopTheClock();
    using signals = listen('emissions:handler:failed');
    await app.emit('order.stuck');
    await settledInNoTime(app.emissions);
    expect(signals.of('emissions:handler:failed')).toMatchObject([
      { error: expect.objectContaining({ code: 'EMISSIONS_DELIVERY_TIMEOUT' }) },
    ]);
    jest.useRealTimers();
  });

  it('lets as much time pass as it says, and everything happen that this brings about', async () => {
    await using app = await boot();
    stopTheClock();
    await app.emit('order.placed');
    const { attempts } = app.app.get(Bank);
    await passTime(MINUTE - 1);
    expect(attempts).toEqual([1]);
    await passTime(1);
    expect(attempts).toEqual([1, 2]);
    await passTime(6 * MINUTE);
    expect(attempts).toEqual([1, 2, 3, 4]);
    app.recorder.expectEmitted('customer.thanked');
    jest.useRealTimers();
  });

  it('lets what waits expire', async () => {
    await using app = await boot();
    stopTheClock();
    using signals = listen('emissions:emission:expired');
    await app.emit('order.queued');
    await passTime(0);
    await app.emissions.run(() =>
      app.emissions.emit('order.queued', undefined, undefined, { ttlMs: 1_000 }),
    );
    await passTime(1_001);
    app.app.get(Bank).held.resolve();
    await app.emissions.settled();
    expect(signals.of('emissions:emission:expired')).toMatchObject([{ emission: 'order.queued' }]);
    jest.useRealTimers();
  });

  it('still waits for emissions in real time, and is told when none comes', async () => {
    await using app = await boot();
    stopTheClock();
    const thanked = app.recorder.next('customer.thanked');
    await app.emit('order.charged');
    expect((await thanked).depth).toBe(1);
    await expect(app.recorder.next('never', { timeoutMs: 1 })).rejects.toThrow(/Waited 1 ms/);
    jest.useRealTimers();
  });

  it('is told in real time who is still busy', async () => {
    await using app = await boot();
    stopTheClock();
    await app.emit('order.queued');
    const settled = settledInNoTime(app.emissions, { timeoutMs: 20 });
    await expect(settled).rejects.toThrow(SettleTimeoutError);
    await expect(settled).rejects.toThrow(/within 20 ms: handler Bank\.queue: 1/);
    app.app.get(Bank).held.resolve();
    jest.useRealTimers();
  });

  it('does not jump where something outside is still at work and no time is due', async () => {
    await using app = await boot();
    stopTheClock();
    const before = Date.now();
    await app.emit('order.queued');
    laterOn(() => app.app.get(Bank).held.resolve(), 20);
    await settledInNoTime(app.emissions);
    expect(Date.now()).toBe(before);
    jest.useRealTimers();
  });

  it('can use other fake timers, by saying how they are moved', async () => {
    await using app = await boot();
    jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'] });
    const advance = jest.fn((ms: number) => jest.advanceTimersByTime(ms));
    await app.emit('order.placed');
    await passTime(MINUTE, { advance });
    expect(app.app.get(Bank).attempts).toEqual([1, 2]);
    await settledInNoTime(app.emissions, { advance });
    expect(app.app.get(Bank).attempts).toEqual([1, 2, 3, 4]);
    expect(advance.mock.calls.length).toBeGreaterThan(1);
    jest.useRealTimers();
  });
});

describe('a test that has not stopped the clock', () => {
  it('is told so', async () => {
    await using app = await boot();
    await expect(passTime(1)).rejects.toThrow(TestingError);
    await expect(passTime(1)).rejects.toThrow(
      /passTime\(ms\) moves a clock that the test has stopped/,
    );
    await expect(settledInNoTime(app.emissions)).rejects.toThrow(/jest\.useFakeTimers\(\)/);
  });
});

describe('settled', () => {
  it('includes retries and cascades', async () => {
    const log: string[] = [];
    await using app = await recorded('default');
    app.emissions.subscribe(
      'a',
      (_, __, { attempt }) => {
        log.push(`try ${attempt}`);
        if (attempt < 3) throw new Error('not yet');
        app.emissions.emit('b');
      },
      { retry: { attempts: 3, backoffMs: 1 } },
    );
    app.emissions.subscribe('b', async () => {
      await Promise.resolve();
      app.emissions.emit('c');
    });
    app.emissions.subscribe('c', () => log.push('c'));
    await app.emit('a');
    await app.emissions.settled();
    expect(log).toEqual(['try 1', 'try 2', 'try 3', 'c']);
  });

  it('has a time-out that names who is busy', async () => {
    await using app = await boot();
    await app.emit('order.queued');
    const settled = app.emissions.settled({ timeoutMs: 1 });
    await expect(settled).rejects.toThrow(/within 1 ms: handler Bank\.queue: 1/);
    app.app.get(Bank).held.resolve();
  });
});
