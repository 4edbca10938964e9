import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Clock } from '../../lib/emission/clock.js';

describe('A clock', () => {
  afterEach(() => {
    jest.useRealTimers();
  });

  it('stands between the wall clock before and after, to the millisecond', () => {
    const clock = new Clock();
    const readings = Array.from({ length: 20_000 }, () => [Date.now(), clock.now(), Date.now()]);
    // The wall clock tells whole milliseconds; a drift of the two clocks within a second is allowed for.
    const outside = readings.filter(
      ([before, now, after]) => now! < before! - 0.1 || now! > after! + 1.1,
    );
    expect(outside).toEqual([]);
    expect(Math.abs(clock.now() - Date.now())).toBeLessThan(5);
  });

  it('agrees with the high-resolution time of the process', () => {
    expect(new Clock().now()).toBeCloseTo(performance.timeOrigin + performance.now(), -1);
  });

  it('tells fractions of a millisecond', () => {
    const clock = new Clock();
    const fractions = Array.from({ length: 1_000 }, () => clock.now() % 1);
    expect(new Set(fractions).size).toBeGreaterThan(10);
  });

  it('never goes backwards', () => {
    const clock = new Clock();
    const readings = Array.from({ length: 100_000 }, () => clock.now());
    expect(readings.find((now, i) => i > 0 && now < readings[i - 1]!)).toBeUndefined();
  });

  it('stands still while the wall clock is set back, and goes on when it has caught up', () => {
    jest.useFakeTimers({ now: 1_800_000_000_000 });
    const clock = new Clock();
    const first = clock.now();
    jest.setSystemTime(1_800_000_000_000 - 3_600_000);
    jest.advanceTimersByTime(1_500);
    expect(clock.now()).toBe(first);
    jest.advanceTimersByTime(3_600_000);
    expect(clock.now()).toBeGreaterThan(first);
    expect(clock.now()).toBeCloseTo(Date.now(), 5);
  });

  it('follows a wall clock that is set forward within a second', () => {
    jest.useFakeTimers({ now: 1_800_000_000_000 });
    const clock = new Clock();
    clock.now();
    jest.setSystemTime(1_800_000_000_000 + 3_600_000);
    jest.advanceTimersByTime(1_000);
    expect(clock.now()).toBe(Date.now());
  });

  it('tells the time a test has set, exactly', () => {
    jest.useFakeTimers({ now: new Date('2030-01-02T03:04:05.678Z') });
    expect(new Clock().now()).toBe(Date.UTC(2030, 0, 2, 3, 4, 5, 678));
  });

  it.each<[string, Parameters<typeof jest.useFakeTimers>[0]]>([
    ['stops everything', {}],
    ['stops timers, and not dates', { doNotFake: ['Date'] }],
    ['stops dates, and not timers', { doNotFake: ['setTimeout', 'clearTimeout'] }],
  ])('goes with a test that %s, and with the wall clock again afterwards', async (_, faked) => {
    const before = new Clock();
    before.now();
    jest.useFakeTimers(faked);
    jest.resetModules();
    const late = await import('../../lib/emission/clock.js');
    expect(late.Clock).not.toBe(Clock);
    for (const clock of [before, new late.Clock()]) {
      const first = clock.now();
      expect(clock.now()).toBe(first);
      jest.advanceTimersByTime(250);
      // The one from before may have told a fraction, and never goes back.
      expect(Math.abs(clock.now() - first - 250)).toBeLessThan(1);
    }
    jest.useRealTimers();
    for (const clock of [new Clock(), new late.Clock()])
      expect(Math.abs(clock.now() - Date.now())).toBeLessThan(100);
  });

  it('goes with stand-ins that were there when it was loaded', async () => {
    const { Date: ownDate, performance: own } = globalThis;
    try {
      globalThis.Date = class extends ownDate {} as DateConstructor;
      let elapsed = 0;
      Object.defineProperty(globalThis, 'performance', {
        value: { now: () => elapsed, timeOrigin: 0 },
        configurable: true,
        writable: true,
      });
      jest.resetModules();
      const clock = new (await import('../../lib/emission/clock.js')).Clock();
      const first = clock.now();
      elapsed = 250;
      expect(clock.now()).toBe(first + 250);
    } finally {
      globalThis.Date = ownDate;
      Object.defineProperty(globalThis, 'performance', {
        value: own,
        configurable: true,
        writable: true,
      });
    }
  });

  it('can be loaded where dates are made by what is no class', async () => {
    const ownDate = globalThis.Date;
    try {
      globalThis.Date = ownDate.bind(undefined) as unknown as DateConstructor;
      jest.resetModules();
      expect(await import('../../lib/emission/clock.js')).toHaveProperty('Clock');
    } finally {
      globalThis.Date = ownDate;
    }
  });
});
