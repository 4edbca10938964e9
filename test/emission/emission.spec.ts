import { describe, expect, it } from '@jest/globals';
import { durationOf, type Emission } from 'nestjs-emissions';
import { isExpired } from '../../lib/emission/emission.js';

const emission: Emission = {
  id: '0',
  name: 'order.created',
  payload: undefined,
  metadata: {},
  correlationId: '0',
  depth: 0,
  occurredAt: 1_000.75,
};

describe('durationOf', () => {
  it('is the time from initializedAt to occurredAt', () => {
    expect(durationOf({ ...emission, initializedAt: 400.25 })).toBe(600.5);
  });

  it('is 0 when either time is missing', () => {
    expect(durationOf(emission)).toBe(0);
    expect(durationOf({ ...emission, initializedAt: 1, occurredAt: undefined as never })).toBe(0);
  });
});

describe('An emission', () => {
  it('expires when more than ttlMs have passed since it occurred', () => {
    const short = { ...emission, ttlMs: 100 };
    expect(isExpired(short, 1_100.75)).toBe(false);
    expect(isExpired(short, 1_100.76)).toBe(true);
    expect(isExpired({ ...emission, ttlMs: 0 }, 1_000.76)).toBe(true);
  });

  it('without ttlMs never expires', () => {
    expect(isExpired(emission, Number.MAX_SAFE_INTEGER)).toBe(false);
  });
});
