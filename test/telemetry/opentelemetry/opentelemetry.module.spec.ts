import { describe, expect, it } from '@jest/globals';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { EmissionsModule, IGNORED, type AdapterRegistration } from 'nestjs-emissions';
import { EmissionsOpenTelemetryModule } from 'nestjs-emissions/opentelemetry';
import { start } from '../../support/app.js';

/** An application whose metrics are exported to memory. */
async function measured(adapters: AdapterRegistration[], options = {}) {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const meterProvider = new MeterProvider({ readers: [reader] });
  const app = await start({
    imports: [
      EmissionsModule.forRoot({ adapters }),
      EmissionsOpenTelemetryModule.forRoot({ meterProvider, ...options }),
    ],
  });
  /** The values of a metric, by the values of its attributes. */
  const collect = async (name: string): Promise<Record<string, number>> => {
    await reader.forceFlush();
    const all =
      exporter
        .getMetrics()
        .at(-1)
        ?.scopeMetrics.flatMap(({ metrics }) => metrics) ?? [];
    const found = all.find(({ descriptor }) => descriptor.name === name);
    return Object.fromEntries(
      (found?.dataPoints ?? []).map(({ attributes, value }) => [
        Object.values(attributes).map(String).sort().join(' '),
        typeof value === 'number' ? value : (value as { count: number }).count,
      ]),
    );
  };
  const close = async () => {
    await app.close();
    await meterProvider.shutdown();
  };
  return { ...app, collect, [Symbol.asyncDispose]: close };
}

const RETRY = { attempts: 2, backoffMs: 1, jitter: 0 };

describe('Metrics', () => {
  it('count what is committed, delivered, retried, failed, ignored and discarded', async () => {
    let calls = 0;
    const fails = {
      deliver: () => {
        calls++;
        throw new Error('no');
      },
    };
    await using app = await measured([
      { name: 'takes', useValue: { deliver: () => {} } },
      { name: 'fails', useValue: fails, consumer: { retry: RETRY } },
    ]);
    app.emissions.subscribe('*', () => IGNORED, { id: 'ignores' });
    app.emissions.subscribe('*', () => 1, { id: 'handles' });
    await app.emissions.run(() => {
      for (let n = 0; n < 3; n++) app.emissions.emit('thing', { n });
    });
    const failing = app.emissions.run(() => {
      app.emissions.emit('thing', {});
      throw new Error('rolled back');
    });
    await expect(failing).rejects.toThrow('rolled back');
    await app.emissions.settled();
    expect(calls).toBe(2);
    expect(await app.collect('emissions.committed')).toEqual({ '': 3 });
    expect(await app.collect('emissions.terminated')).toEqual({ '': 1 });
    expect(await app.collect('emissions.delivered')).toEqual({
      'adapter takes': 3,
      'handler handles': 3,
    });
    expect(await app.collect('emissions.ignored')).toEqual({ 'handler ignores': 3 });
    expect(await app.collect('emissions.retried')).toEqual({ 'adapter fails': 3 });
    expect(await app.collect('emissions.failed')).toEqual({ 'adapter fails': 3 });
    expect(await app.collect('emissions.commit.duration')).toEqual({ '': 1 });
    expect(await app.collect('emissions.delivery.duration')).toMatchObject({
      'adapter takes': 1,
      'adapter fails': 2,
      'handler handles': 3,
    });
  });

  it('show how much is pending, and for how long', async () => {
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    await using app = await measured([{ name: 'slow', useValue: { deliver: () => held } }]);
    await app.emissions.run(() => {
      for (let n = 0; n < 5; n++) app.emissions.emit('thing', { n });
    });
    expect(await app.collect('emissions.pending')).toEqual({ 'adapter slow': 5 });
    expect((await app.collect('emissions.lag'))['adapter slow']).toBeGreaterThan(0);
    release();
    await app.emissions.settled();
    expect(await app.collect('emissions.pending')).toEqual({ 'adapter slow': 0 });
    expect(await app.collect('emissions.lag')).toEqual({ 'adapter slow': 0 });
  });

  it('tell an adapter and a handler of one name apart', async () => {
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    const deliver = () => held;
    await using app = await measured([{ name: 'audit', useValue: { deliver } }]);
    app.emissions.subscribe('thing', deliver, { id: 'audit' });
    await app.emissions.run(() => {
      app.emissions.emit('thing');
      app.emissions.emit('another');
    });
    expect(await app.collect('emissions.pending')).toEqual({
      'adapter audit': 2,
      'audit handler': 1,
    });
    release();
    await app.emissions.settled();
  });

  it('count what is lost, by its reason', async () => {
    await using app = await measured([{ name: 'any', useValue: { deliver: () => {} } }]);
    app.emissions.emit('outside', {});
    await app.emissions.run(() => {
      app.emissions.emit('stale', {}, undefined, { ttlMs: 0.000_001 });
    });
    await app.emissions.settled();
    expect(await app.collect('emissions.dropped')).toEqual({ unbuffered: 1 });
    expect(await app.collect('emissions.expired')).toEqual({ any: 1 });
  });

  it('have as many series as they may, whatever is subscribed', async () => {
    await using app = await measured([], { maxConsumers: 3 });
    for (let n = 0; n < 50; n++) {
      app.emissions.subscribe('*', () => {}, { id: `subscriber ${n}` });
    }
    await app.emissions.run(() => void app.emissions.emit('thing', {}));
    await app.emissions.settled();
    const delivered = await app.collect('emissions.delivered');
    expect(Object.keys(delivered).length).toBe(4);
    expect(delivered['handler other']).toBe(47);
  });

  it('end with the application', async () => {
    const app = await measured([{ name: 'one', useValue: { deliver: () => {} } }]);
    await app.close();
    await using other = await start({ imports: [EmissionsModule.forRoot()] });
    await other.emissions.run(() => void other.emissions.emit('thing', {}));
    expect(await app.collect('emissions.committed')).toEqual({});
    await app[Symbol.asyncDispose]();
  });

  it('are not counted twice: the module is imported once', () => {
    const twins = [{ spans: false }, { metrics: false }].map((options) =>
      EmissionsOpenTelemetryModule.forRoot(options),
    );
    return expect(start({ imports: [EmissionsModule.forRoot(), ...twins] })).rejects.toThrow(
      /EmissionsOpenTelemetryModule\.forRoot is imported 2 times/,
    );
  });

  it('refuse options that there are not', () => {
    const options = { meters: 1 } as never;
    const app = start({
      imports: [EmissionsModule.forRoot(), EmissionsOpenTelemetryModule.forRoot(options)],
    });
    return expect(app).rejects.toThrow(/EmissionsOpenTelemetryModule has no option "meters"/);
  });
});
