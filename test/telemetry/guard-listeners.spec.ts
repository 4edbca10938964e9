import diagnostics, { channel, type ChannelListener } from 'node:diagnostics_channel';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { onSignal, type CascadeCut } from 'nestjs-emissions';
import { signal } from '../../lib/telemetry/signal.js';
import { guardListeners } from '../../lib/telemetry/guard-listeners.js';
import { captureLogs, silence } from '../support/logs.js';
import { nextRound } from '../support/until.js';

const CUT = 'emissions:cascade:cut';
const send = (): void =>
  signal(CUT, (): CascadeCut => ({ emission: 'a', count: 1, depth: 1, path: [] }));

/** The two ways to listen; each returns what stops it. */
const WAYS: [string, (listener: ChannelListener) => () => void][] = [
  ['onSignal', (listener) => onSignal(CUT, listener as () => void)],
  [
    'node:diagnostics_channel',
    (listener) => {
      diagnostics.subscribe(CUT, listener);
      return () => void diagnostics.unsubscribe(CUT, listener);
    },
  ],
];

const FAILURES: [string, () => unknown][] = [
  [
    'throws',
    () => {
      throw new Error('careless');
    },
  ],
  ['throws no error', runInNewContext("() => { throw 'careless' }") as () => unknown],
  [
    'rejects',
    async () => {
      throw new Error('careless');
    },
  ],
  [
    'rejects later',
    async () => {
      await nextRound();
      throw new Error('careless');
    },
  ],
  [
    'rejects with a promise of another realm',
    runInNewContext("() => Promise.reject('careless')") as () => unknown,
  ],
];

beforeAll(silence);
afterAll(silence);

describe.each(WAYS)('A listener that came through %s', (_, listen) => {
  it.each(FAILURES)(
    'and %s harms nothing: the sender and the other listeners go on, and it is logged',
    async (_failure, fail) => {
      using logs = captureLogs();
      const seen: number[] = [];
      const stops = [
        listen(() => void seen.push(1)),
        listen(fail as ChannelListener),
        listen(() => void seen.push(2)),
      ];
      send();
      send();
      // An uncaught exception or unhandled rejection would fail this test within these rounds.
      await nextRound();
      await nextRound();
      await nextRound();
      stops.forEach((stop) => stop());
      expect(seen).toEqual([1, 2, 1, 2]);
      expect(logs.of('error')).toEqual([
        `A listener of ${CUT} failed; the signal's other listeners are unaffected.`,
        `A listener of ${CUT} failed; the signal's other listeners are unaffected.`,
      ]);
      expect(String(logs.entries[0]!.rest)).toContain('careless');
    },
  );

  it.each([0, 1, 2])('can be removed, also when it was number %i of three', (removed) => {
    const seen: number[] = [];
    const stops = [0, 1, 2].map((who) => listen(() => void seen.push(who)));
    stops[removed]!();
    send();
    stops.forEach((stop) => stop());
    send();
    expect(seen).toEqual([0, 1, 2].filter((who) => who !== removed));
    expect(diagnostics.hasSubscribers(CUT)).toBe(false);
  });

  it('can remove itself while it is called', () => {
    const seen: string[] = [];
    const stop = listen(() => {
      seen.push('once');
      stop();
    });
    const other = listen(() => void seen.push('always'));
    send();
    send();
    other();
    expect(seen).toEqual(['once', 'always', 'always']);
  });

  it('can come again after it was removed', () => {
    let calls = 0;
    const listener = (): void => void calls++;
    for (let i = 0; i < 3; i++) {
      const stop = listen(listener);
      send();
      stop();
      send();
    }
    expect(calls).toBe(3);
  });
});

describe('A listener', () => {
  it('subscribed twice is called twice, and removed once is called once', () => {
    let calls = 0;
    const listener = (): void => void calls++;
    diagnostics.subscribe(CUT, listener);
    diagnostics.subscribe(CUT, listener);
    send();
    diagnostics.unsubscribe(CUT, listener);
    send();
    diagnostics.unsubscribe(CUT, listener);
    send();
    expect(calls).toBe(3);
  });

  it('that was never there is not removed', () => {
    expect(diagnostics.unsubscribe(CUT, () => {})).toBe(false);
  });

  it('that is no function is refused, as on any channel', () => {
    expect(() => diagnostics.subscribe(CUT, 7 as never)).toThrow(
      `A listener of ${CUT} is a function, not 7.`,
    );
    expect(diagnostics.hasSubscribers(CUT)).toBe(false);
  });

  it('that was there before the package was loaded, as a tracer is, is guarded and can be removed', async () => {
    using logs = captureLogs();
    const early = channel('guard-listeners-spec:early');
    const seen: string[] = [];
    const first = (): void => {
      seen.push('first');
      throw new Error('careless');
    };
    const second = (): void => void seen.push('second');
    early.subscribe(first);
    early.subscribe(second);
    guardListeners(early).publish({});
    await nextRound();
    expect(seen).toEqual(['first', 'second']);
    expect(logs.of('error')).toHaveLength(1);
    expect([early.unsubscribe(first), early.unsubscribe(second), early.hasSubscribers]).toEqual([
      true,
      true,
      false,
    ]);
  });

  it('is known to both when the package is loaded twice in one process', async () => {
    using logs = captureLogs();
    const twice = channel('guard-listeners-spec:twice');
    const fail = (): void => {
      throw new Error('careless');
    };
    guardListeners(twice).subscribe(fail);
    guardListeners(twice).publish({});
    await nextRound();
    expect(logs.of('error')).toHaveLength(1);
    expect([twice.unsubscribe(fail), twice.hasSubscribers]).toEqual([true, false]);
  });
});
