import { Inject, Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { Emissions, EmissionsModule, OnEmission } from 'nestjs-emissions';
import {
  createEmission,
  emissionMatchers,
  passTime,
  recordEmissions,
  runHandler,
  settledInNoTime,
} from 'nestjs-emissions/testing';
import { afterEach, describe, expect, it, vi } from 'vitest';

expect.extend(emissionMatchers);

@Injectable()
class Counter {
  tries = 0;
  constructor(@Inject(Emissions) private readonly emissions: Emissions) {}

  @OnEmission('a', { retry: { attempts: 3, backoffMs: 10_000, jitter: 0 } })
  count(payload: number): number {
    if (++this.tries < 3) throw new Error('not yet');
    this.emissions.emit('counted', payload);
    return payload;
  }
}

async function boot() {
  const builder = Test.createTestingModule({
    imports: [EmissionsModule.forRoot()],
    providers: [Counter],
  });
  const recorder = recordEmissions(builder, { mode: 'strict' });
  const app = (await builder.compile()).createNestApplication({ logger: false });
  await app.init();
  const emissions = app.get(Emissions);
  return { app, recorder, emissions, [Symbol.asyncDispose]: () => app.close() };
}

describe('the kit in vitest', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it('has matchers', async () => {
    await using app = await boot();
    await app.emissions.run(() => void app.emissions.emit('b', { id: 1, at: new Date(0) }));
    expect(app.recorder).not.toHaveEmitted('c');
    expect(() => expect(app.recorder).toHaveEmitted('b', { payload: { id: 2 } })).toThrow(/id: 1/);
    expect(app.recorder).toHaveEmitted('b', { payload: { id: expect.any(Number) } });
    app.recorder.verify();
  });

  it('knows the line that emitted', async () => {
    await using app = await boot();
    await app.emissions.run(() => void app.emissions.emit('b'));
    const line = new Error('here').stack!.split('\n')[1]!.match(/:(\d+):\d+\)?$/)![1]!;
    expect(() => app.recorder.verify()).toThrow(
      `emitted at test/support/vitest/recorder.vitest.ts:${Number(line) - 1}:`,
    );
  });

  it('lets retries pass at once', async () => {
    await using app = await boot();
    vi.useFakeTimers();
    await app.emissions.run(() => void app.emissions.emit('a', 1));
    await settledInNoTime(app.emissions);
    expect(app.recorder).toHaveEmittedInOrder(['a', ['counted', { payload: 1 }]]);
  });

  it('lets time pass', async () => {
    await using app = await boot();
    vi.useFakeTimers();
    await app.emissions.run(() => void app.emissions.emit('a', 1));
    await passTime(10_000);
    expect(app.app.get(Counter).tries).toBe(2);
    const counted = app.recorder.next('counted');
    await passTime(20_000);
    expect((await counted).payload).toBe(1);
  });

  it('runs a handler', async () => {
    await using app = await boot();
    app.app.get(Counter).tries = 2;
    const outcome = await runHandler(app.app, Counter, 'count', createEmission('a', 7));
    expect(outcome).toEqual({ outcome: 'processed', result: 7 });
    expect(outcome.emitted).toMatchObject([{ name: 'counted', payload: 7 }]);
  });
});
