import { describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { EmissionsModule, OnEmission } from 'nestjs-emissions';
import { HeldAdapter, RecordingAdapter } from './support/adapters.js';
import { start } from './support/app.js';
import { emit } from './support/emit.js';
import { until } from './support/until.js';

@Injectable()
class Stock {
  @OnEmission('order.*', { priority: 2, interested: () => true })
  reserve(): void {}

  @OnEmission('order.created', { critical: true })
  check(): void {}
}

describe('describe()', () => {
  it('shows what is wired to what, and how much is pending where', async () => {
    const held = new HeldAdapter();
    await using running = await start({
      imports: [
        EmissionsModule.forRoot({
          topics: { orders: ['order.created', 'order.paid'] },
          pipeline: { batchSize: 20 },
          adapters: [
            { name: 'held', useValue: held, consumer: { capacity: 5, overflow: 'reject' } },
            {
              name: 'choosy',
              useValue: Object.assign(new RecordingAdapter(), { interested: () => false }),
            },
          ],
        }),
      ],
      providers: [Stock],
    });
    running.emissions.subscribe('x', function log() {}, { once: true });
    running.emissions.stream('y').subscribe();
    await emit(running.emissions, 'z', 'z');
    await until(() => held.running === 1);
    const plan = running.emissions.describe();
    held.release();

    const retry = { attempts: 1, backoffMs: 100, factor: 2, maxBackoffMs: 30_000, jitter: 0.2 };
    const adapter = {
      batchSize: 20,
      maxWaitMs: 0,
      concurrency: 1,
      capacity: 10_000,
      overflow: 'wait',
      retry,
      timeoutMs: 0,
    };
    const handler = { ...adapter, batchSize: 1, concurrency: 16 };
    const common = {
      critical: false,
      durable: false,
      filters: false,
      once: false,
      priority: 0,
      pending: 0,
    };
    expect(plan).toEqual({
      state: 'running',
      adapters: [
        {
          name: 'held',
          filters: false,
          options: { ...adapter, capacity: 5, overflow: 'reject' },
          pending: 2,
        },
        { name: 'choosy', filters: true, options: adapter, pending: 0 },
      ],
      handlers: [
        {
          ...common,
          id: 'Stock.check',
          pattern: 'order.created',
          host: 'Stock (module RootTestModule)',
          critical: true,
          durable: false,
          options: handler,
        },
        {
          ...common,
          id: 'log#1',
          pattern: 'x',
          host: "subscribe('x')",
          once: true,
          options: handler,
        },
        { ...common, id: 'stream#1 of y', pattern: 'y', host: 'stream()', options: adapter },
        {
          ...common,
          id: 'Stock.reserve',
          pattern: 'order.*',
          host: 'Stock (module RootTestModule)',
          filters: true,
          priority: 2,
          options: handler,
        },
      ],
      topics: { orders: ['order.created', 'order.paid'] },
    });
  });

  it('is plain data: it can be printed, served and compared', async () => {
    await using running = await start({
      imports: [EmissionsModule.forRoot({ adapters: [RecordingAdapter] })],
      providers: [Stock],
    });
    const plan = running.emissions.describe();

    expect(JSON.parse(JSON.stringify(plan))).toEqual(plan);
  });

  it('follows what is added and removed, and the life of the application', async () => {
    const running = await start({ imports: [EmissionsModule.forRoot({})] });
    const names = () => running.emissions.describe().adapters.map(({ name }) => name);
    running.emissions.addAdapter('late', new RecordingAdapter(), { batchSize: 3 });
    expect(names()).toEqual(['late']);
    expect(running.emissions.describe().adapters[0]!.options.batchSize).toBe(3);
    await running.emissions.removeAdapter('late');
    expect(names()).toEqual([]);
    await running.close();

    expect(running.emissions.describe().state).toBe('closed');
  });
});

describe('addAdapter()', () => {
  it('refuses what is no adapter, a name that is taken, and options that are wrong', async () => {
    await using running = await start({ imports: [EmissionsModule.forRoot({})] });
    const { emissions } = running;
    emissions.addAdapter('taken', new RecordingAdapter());

    expect(() => emissions.addAdapter('none', {} as never)).toThrow(/'none' has no method deliver/);
    expect(() => emissions.addAdapter('taken', new RecordingAdapter())).toThrow(/'taken' already/);
    expect(() => emissions.addAdapter('x', new RecordingAdapter(), { capacity: 0 })).toThrow(
      /The adapter x: consumer\.capacity/,
    );
  });
});
