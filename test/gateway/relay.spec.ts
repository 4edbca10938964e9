import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Namespace } from 'socket.io';
import { Relay } from '../../lib/gateway/relay.js';

type Message = [event: string, from: string, number: number, ...rest: unknown[]];

/** Two processes, and between them an adapter that brings messages as and when it is told. */
function processes() {
  const sent: Message[] = [];
  const away = new EventEmitter();
  const here = new EventEmitter();
  const log: unknown[] = [];
  const end = {
    take: (tenant: string, entries: readonly { body: unknown }[]) =>
      void log.push(...entries.map(({ body }) => `${tenant}${String(body)}`)),
    lost: () => void log.push('lost'),
  };
  const serverOf = (emitter: EventEmitter): Namespace =>
    Object.assign(emitter, {
      serverSideEmit: (...message: Message) => void sent.push(message),
    }) as never;
  const origin = new Relay(serverOf(away), end);
  const relay = new Relay(serverOf(here), end);
  return {
    log,
    relay,
    /** Has the other process send so many, one by one. */
    send(count: number): void {
      for (let i = 0; i < count; i++)
        origin.send('a', [{ channels: ['*'], body: sent.length + 1 }]);
    },
    /** Brings those with these numbers. */
    bring(...numbers: number[]): void {
      for (const number of numbers) here.emit(...sent[number - 1]!);
    },
  };
}

describe('what other processes carry', () => {
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());

  it('is taken in the order it was sent, however it comes, and once', () => {
    const { send, bring, log } = processes();
    send(6);
    bring(1, 3, 2, 2, 1, 6, 5, 4, 4);
    expect(log).toEqual(['a1', 'a2', 'a3', 'a4', 'a5', 'a6']);
    jest.runAllTimers();
    expect(log).toHaveLength(6);
  });

  it('is waited for; what does not come is told once, and the rest goes on', () => {
    const { send, bring, log } = processes();
    send(9);
    bring(1, 3, 4, 7);
    expect(log).toEqual(['a1']);
    jest.advanceTimersByTime(2_000);
    expect(log).toEqual(['a1', 'lost', 'a3', 'a4']);
    bring(2);
    jest.advanceTimersByTime(2_000);
    expect(log).toEqual(['a1', 'lost', 'a3', 'a4', 'lost', 'a7']);
    bring(8, 9);
    expect(log.slice(-2)).toEqual(['a8', 'a9']);
  });

  it('is taken from where it stands when this process comes later', () => {
    const { send, bring, log } = processes();
    send(12);
    bring(11, 10);
    expect(log).toEqual([]);
    jest.advanceTimersByTime(2_000);
    bring(12, 9);
    expect(log).toEqual(['a10', 'a11', 'a12']);
  });

  it('is held up to a bound', () => {
    const { send, bring, log } = processes();
    send(10_010);
    bring(1);
    for (let number = 3; number <= 10_003; number++) bring(number);
    expect(log.slice(0, 3)).toEqual(['a1', 'lost', 'a3']);
    expect(log.at(-1)).toBe('a10003');
  });

  it('is waited for no longer when the process closes', () => {
    const { send, bring, log, relay } = processes();
    send(3);
    bring(1, 3);
    relay.close();
    jest.runAllTimers();
    expect(log).toEqual(['a1']);
  });
});
