import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { EmissionsModule, OnEmission, type Emission } from 'nestjs-emissions';
import { HeldAdapter, RecordingAdapter } from '../support/adapters.js';
import { start, type RunningApp } from '../support/app.js';
import { emit, emitAndSettle } from '../support/emit.js';
import { captureLogs } from '../support/logs.js';
import { listen } from '../support/signals.js';
import { rounds, until } from '../support/until.js';

@Injectable()
class Welcome {
  readonly seen: unknown[] = [];

  @OnEmission('user.created', { once: true })
  first(payload: unknown): void {
    this.seen.push(payload);
  }
}

let running: RunningApp;
beforeAll(async () => {
  running = await start({
    imports: [EmissionsModule.forRoot({ adapters: [RecordingAdapter] })],
    providers: [Welcome],
  });
});
afterAll(() => running.close());

const subscribeOnce = (pattern: string, method: (payload: unknown) => unknown, options = {}) =>
  running.emissions.subscribe(pattern, method, { once: true, ...options });

describe('A handler that takes one emission in its life', () => {
  it('takes the first, and is listed no more', async () => {
    expect(running.emissions.subscribers('user.created')).toHaveLength(1);
    await emitAndSettle(running.emissions, ['user.created', 1], ['user.created', 2]);
    await emitAndSettle(running.emissions, ['user.created', 3]);

    expect(running.app.get(Welcome).seen).toEqual([1]);
    expect(running.emissions.subscribers('user.created')).toEqual([]);
    expect(running.emissions.describe().handlers).toEqual([]);
  });

  it('takes exactly one of two that are in flight at once', async () => {
    const seen: unknown[] = [];
    subscribeOnce('x', (payload) => seen.push(payload));
    await Promise.all([1, 2, 3].map((n) => emit(running.emissions, ['x', n])));
    await running.emissions.settled();

    expect(seen).toHaveLength(1);
  });

  it('gets nothing once it is unsubscribed, though it has been given its emission', async () => {
    using log = listen('emissions:emission:dropped');
    const seen: unknown[] = [];
    const subscription = subscribeOnce('x', (payload) => seen.push(payload));
    await emit(running.emissions, ['x', 1]);
    subscription.unsubscribe();
    subscription.unsubscribe();
    await running.emissions.settled();

    expect(seen).toEqual([]);
    expect(log.all.map(({ message }) => message)).toEqual([
      { reason: 'removed', emission: 'x', count: 1, consumer: subscription.id },
    ]);
  });

  it('is left to finish when it is unsubscribed during its call, and nobody else loses their place', async () => {
    let finish: () => void = () => {};
    const done: string[] = [];
    const first = subscribeOnce(
      'x',
      async () => {
        await new Promise<void>((resolve) => (finish = resolve));
        done.push('first');
      },
      { id: 'same' },
    );
    await emit(running.emissions, 'x');
    await until(() => running.emissions.subscribers().every(({ id }) => id !== 'same'));
    await rounds();
    subscribeOnce('x', () => done.push('second'), { id: 'same' });
    first.unsubscribe();
    await emit(running.emissions, 'x');
    await rounds();
    finish();
    await running.emissions.settled();

    expect(done).toEqual(['second', 'first']);
  });

  it('lets those go who wait for room with it when it is unsubscribed', async () => {
    const held = new HeldAdapter();
    running.emissions.addAdapter('first in line', held, { capacity: 1, overflow: 'wait' });
    let finish: () => void = () => {};
    const options = { capacity: 1, overflow: 'wait' } as const;
    const hung = subscribeOnce(
      'x',
      () => new Promise<void>((resolve) => (finish = resolve)),
      options,
    );
    await emit(running.emissions, 'y');
    await until(() => held.running === 1);
    const both = [emit(running.emissions, 'x'), emit(running.emissions, 'x')];
    await rounds();
    held.release();
    await both[0];
    await until(() => held.running === 1);
    held.release();
    await rounds();
    hung.unsubscribe();
    await expect(both[1]).resolves.toBeUndefined();
    await running.emissions.removeAdapter('first in line');
    held.release();
    finish();
    await running.emissions.settled();
  });

  it('is used up by a failure', async () => {
    using log = listen('emissions:handler:failed');
    let calls = 0;
    subscribeOnce('x', () => {
      calls++;
      throw new Error('no');
    });
    await emitAndSettle(running.emissions, 'x', 'x');

    expect(calls).toBe(1);
    expect(log.all).toHaveLength(1);
  });

  it('is tried again with its one emission, as retry says', async () => {
    const seen: unknown[] = [];
    subscribeOnce(
      'x',
      (payload) => {
        seen.push(payload);
        if (seen.length < 3) throw new Error('not yet');
      },
      { retry: { attempts: 3, backoffMs: 0 } },
    );
    await emitAndSettle(running.emissions, ['x', 1], ['x', 2]);

    expect(seen).toEqual([1, 1, 1]);
  });

  it('is not used up by what it does not want', async () => {
    const seen: unknown[] = [];
    const interested = ({ payload }: Emission) => Number(payload) > 1;
    subscribeOnce('x', (payload) => seen.push(payload), { interested });
    await emitAndSettle(running.emissions, ['x', 1], ['x', 2], ['x', 3]);

    expect(seen).toEqual([2]);
  });

  it('is not used up by a commit that is refused', async () => {
    const full = new HeldAdapter();
    const wants = ({ name }: Emission) => name === 'x';
    running.emissions.addAdapter('full', Object.assign(full, { interested: wants }), {
      capacity: 1,
      overflow: 'reject',
    });
    await emit(running.emissions, 'x');
    const seen: unknown[] = [];
    subscribeOnce('x', (payload) => seen.push(payload));
    await expect(emit(running.emissions, ['x', 1])).rejects.toThrow(/full/);
    await until(() => full.running === 1);
    full.release();
    await running.emissions.settled();
    await emit(running.emissions, ['x', 2]);
    await until(() => full.running === 1);
    full.release();
    await running.emissions.removeAdapter('full');
    await running.emissions.settled();

    expect(seen).toEqual([2]);
  });

  it('is used up by one of two commits, also when the other waits for room elsewhere with it', async () => {
    const full = new HeldAdapter();
    const wants = ({ name }: Emission) => name === 'slow';
    const adapter = Object.assign(full, { interested: wants });
    running.emissions.addAdapter('full', adapter, { capacity: 1 });
    const seen: unknown[] = [];
    await emit(running.emissions, 'slow');
    subscribeOnce('x', (payload) => seen.push(payload));
    const waiting = emit(running.emissions, 'slow', ['x', 1]);
    await emit(running.emissions, ['x', 2]);
    for (let i = 0; i < 2; i++) {
      await until(() => full.running === 1);
      full.release();
    }
    await waiting;
    await running.emissions.removeAdapter('full');
    await running.emissions.settled();

    expect(seen).toEqual([2]);
  });

  it('fits into a small queue, however many of a commit it would take', async () => {
    const seen: unknown[] = [];
    subscribeOnce('x', (payload) => seen.push(payload), { capacity: 1 });
    await emitAndSettle(running.emissions, ['x', 1], ['x', 2]);

    expect(seen).toEqual([1]);
  });

  it('counts as busy while its call runs, though it is listed no more', async () => {
    let finish: () => void = () => {};
    subscribeOnce('x', () => new Promise<void>((resolve) => (finish = resolve)));
    await emit(running.emissions, 'x');
    await expect(running.emissions.settled({ timeoutMs: 5 })).rejects.toThrow(
      /subscription#\d+: 1/,
    );
    finish();

    await expect(running.emissions.settled()).resolves.toBeUndefined();
  });

  it('can be subscribed again, and unsubscribed before it has taken anything', async () => {
    using logs = captureLogs();
    const seen: unknown[] = [];
    const handler = (payload: unknown) => void seen.push(payload);
    subscribeOnce('again', handler);
    await emitAndSettle(running.emissions, ['again', 1]);
    expect(running.emissions.isSubscribed(handler)).toBe(false);
    subscribeOnce('again', handler);
    expect(running.emissions.isSubscribed(handler)).toBe(true);
    await emitAndSettle(running.emissions, ['again', 2]);
    subscribeOnce('again', handler).unsubscribe();
    await emitAndSettle(running.emissions, ['again', 3]);

    expect(seen).toEqual([1, 2]);
    expect(logs.of('error')).toEqual([]);
  });
});
