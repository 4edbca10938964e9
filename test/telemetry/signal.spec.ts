import diagnostics from 'node:diagnostics_channel';
import { describe, expect, it } from '@jest/globals';
import {
  ConfigurationError,
  EMISSIONS_CHANNELS,
  onSignal,
  type CascadeCut,
  type EmissionsChannelName,
} from 'nestjs-emissions';
import { hasListeners, signal } from '../../lib/telemetry/signal.js';

const CUT = 'emissions:cascade:cut';
const message: CascadeCut = { emission: 'a', count: 1, depth: 17, path: ['a', 'b'] };

describe('A signal', () => {
  it('that nobody listens to costs no message: none is put together', () => {
    let made = 0;
    signal(CUT, () => {
      made++;
      return message;
    });
    expect([made, hasListeners(CUT)]).toEqual([0, false]);
  });

  it('is put together once, and is the same for all who listen', () => {
    const seen: unknown[] = [];
    let made = 0;
    const stops = [1, 2].map(() => onSignal(CUT, (got) => seen.push(got)));
    signal(CUT, () => {
      made++;
      return message;
    });
    stops.forEach((stop) => stop());
    expect([made, seen.length]).toEqual([1, 2]);
    expect(seen.every((got) => got === message)).toBe(true);
  });

  it('reaches its listeners in the order they came, before the call returns', () => {
    const order: string[] = [];
    const stops = ['first', 'second', 'third'].map((who) => onSignal(CUT, () => order.push(who)));
    signal(CUT, () => message);
    stops.forEach((stop) => stop());
    expect(order).toEqual(['first', 'second', 'third']);
  });

  it('reaches those who listen to it, and nobody else', () => {
    const seen: string[] = [];
    const stops = EMISSIONS_CHANNELS.map((name) => onSignal(name, () => seen.push(name)));
    signal(CUT, () => message);
    stops.forEach((stop) => stop());
    expect(seen).toEqual([CUT]);
  });

  it('stops reaching whoever has stopped listening, and nobody else', () => {
    const seen: string[] = [];
    const stops = ['a', 'b', 'c'].map((who) => onSignal(CUT, () => seen.push(who)));
    for (const stop of stops) {
      signal(CUT, () => message);
      stop();
      stop();
    }
    signal(CUT, () => message);
    expect(seen.join('')).toBe('abcbcc');
    expect(hasListeners(CUT)).toBe(false);
  });

  it('can be had untyped from node:diagnostics_channel', () => {
    const seen: unknown[] = [];
    const listener = (got: unknown, name: unknown): void => void seen.push([got, name]);
    diagnostics.subscribe(CUT, listener);
    expect(hasListeners(CUT)).toBe(true);
    signal(CUT, () => message);
    expect(diagnostics.unsubscribe(CUT, listener)).toBe(true);
    signal(CUT, () => message);
    expect(seen).toEqual([[message, CUT]]);
    expect(diagnostics.hasSubscribers(CUT)).toBe(false);
  });
});

describe('The table of signals', () => {
  it('names each once, as emissions:<what>:<what happened>', () => {
    expect(new Set(EMISSIONS_CHANNELS).size).toBe(EMISSIONS_CHANNELS.length);
    for (const name of EMISSIONS_CHANNELS) expect(name).toMatch(/^emissions:[a-z]+:[a-z]+$/);
    expect(EMISSIONS_CHANNELS.length).toBeGreaterThanOrEqual(20);
  });

  it.each([...EMISSIONS_CHANNELS])('has %s, which can be sent and heard', (name) => {
    const seen: unknown[] = [];
    const stop = onSignal(name, (got) => seen.push(got));
    signal(name, () => message as never);
    stop();
    expect(seen).toEqual([message]);
  });
});

describe('onSignal', () => {
  it.each(['emissions:order:created', 'cascade', '__proto__', '', undefined])(
    'refuses %j, which is no signal, with those there are',
    (name) => {
      const call = () => onSignal(name as EmissionsChannelName, () => {});
      expect(call).toThrow(ConfigurationError);
      expect(call).toThrow(/There is no signal .*There are: emissions:buffer:started, /);
    },
  );

  it('refuses a listener that is no function', () => {
    expect(() => onSignal(CUT, {} as never)).toThrow(ConfigurationError);
    expect(hasListeners(CUT)).toBe(false);
  });
});
