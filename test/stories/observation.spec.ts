import { describe, expect, it } from '@jest/globals';
import type { Emission, HandlerContext } from 'nestjs-emissions';
import { recorded } from '../support/recorded.js';
import { listen } from '../support/signals.js';
import { until } from '../support/until.js';

describe('what becomes of an emission', () => {
  it('is up to each handler: it gets the emission itself, and what it needs to know of the call', async () => {
    await using app = await recorded('strict');
    const calls: [payload: unknown, emission: Emission, handler: string][] = [];
    const note = (payload: unknown, emission: Emission, { handlerId }: HandlerContext) =>
      calls.push([payload, emission, handlerId]);
    app.emissions.subscribe('a', note, { id: 'first' });
    app.emissions.subscribe('*', note, { id: 'second' });
    await app.emit(['a', { id: 1 }]);
    await app.emissions.settled();
    const emission = app.recorder.expectEmitted('a');
    expect(calls).toEqual([
      [{ id: 1 }, emission, 'first'],
      [{ id: 1 }, emission, 'second'],
    ]);
  });

  it('does not hold it when one handler raises and another completes', async () => {
    await using app = await recorded('default');
    using signals = listen('emissions:handler:failed', 'emissions:handler:succeeded');
    app.emissions.subscribe('a', () => Promise.reject(new Error('no')), { id: 'raising' });
    app.emissions.subscribe('a', () => Promise.resolve(), { id: 'completing' });
    await app.emit('a');
    await app.emissions.settled();
    expect(signals.all.map(({ message }) => message.handler).sort()).toEqual([
      'completing',
      'raising',
    ]);
    expect(app.emissions.describe().handlers.map(({ pending }) => pending)).toEqual([0, 0]);
  });

  it('does not hold it for a pending handler that is unsubscribed', async () => {
    await using app = await recorded('default');
    using signals = listen('emissions:emission:dropped');
    const held = Promise.withResolvers<void>();
    let calls = 0;
    const busy = () => {
      calls++;
      return held.promise;
    };
    const subscription = app.emissions.subscribe('a', busy, { id: 'busy', concurrency: 1 });
    await app.emit('a', 'a');
    await until(() => calls === 1);
    subscription.unsubscribe();
    expect(signals.of('emissions:emission:dropped')).toEqual([
      { reason: 'removed', emission: 'a', count: 1, consumer: 'busy' },
    ]);
    held.resolve();
    await app.emissions.settled();
    expect(calls).toBe(1);
    expect(app.emissions.describe().handlers).toEqual([]);
  });

  it('ends when it is past its time to live, with handlers pending: it is dropped, and signalled', async () => {
    await using app = await recorded('default');
    using signals = listen('emissions:emission:expired');
    const held = Promise.withResolvers<void>();
    const handled: unknown[] = [];
    const busy = (payload: unknown) => {
      handled.push(payload);
      return held.promise;
    };
    app.emissions.subscribe('a', busy, { id: 'busy', concurrency: 1 });
    await app.emit(['a', 1]);
    await until(() => handled.length === 1);
    await app.emissions.run(() => app.emissions.emit('a', 2, {}, { ttlMs: 0 }));
    const emitted = performance.now();
    await until(() => performance.now() > emitted + 1);
    held.resolve();
    await app.emissions.settled();
    expect(handled).toEqual([1]);
    expect(signals.of('emissions:emission:expired')).toEqual([
      { emission: 'a', count: 1, consumer: 'busy' },
    ]);
  });
});
