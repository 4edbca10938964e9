import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { EmissionsModule, IGNORED, type EmissionAdapter } from 'nestjs-emissions';
import { DurableDeliveries, EmissionsDurableModule } from 'nestjs-emissions/durable';
import { EmissionsGatewayModule } from 'nestjs-emissions/gateway';
import { serve, type RunningApp } from '../../support/app.js';
import { signal } from '../../../lib/telemetry/signal.js';
import { pglite, type TestDatabase } from '../../support/databases.js';
import { marked, tableOf } from '../../support/documentation.js';
import { authenticate } from '../../support/gateway.js';
import { MetricsModule } from '../../support/prometheus.app.js';
import { connect } from '../../support/sockets.js';
import { untilAsked } from '../../support/until.js';

describe('What Prometheus scrapes', () => {
  let database: TestDatabase;
  let app: RunningApp;
  let text: string;
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  const only = (name: string, deliver: EmissionAdapter['deliver']): EmissionAdapter => ({
    deliver,
    interested: (emission) => emission.name === name,
  });
  const fails = () => Promise.reject(new Error('no'));

  beforeAll(async () => {
    database = await pglite();
    const retry = { attempts: 2, backoffMs: 1 };
    app = await serve({
      imports: [
        EmissionsModule.forRoot({
          adapters: [
            { name: 'mail', useValue: only('mail', fails), consumer: { retry } },
            { name: 'stuck', useValue: only('stuck', () => held), consumer: { capacity: 100 } },
            { name: 'done', useValue: only('stored', () => {}), consumer: { durable: true } },
            { name: 'stored', useValue: only('stored', fails), consumer: { durable: true, retry } },
          ],
        }),
        EmissionsDurableModule.forRoot(database.options),
        EmissionsGatewayModule.forRoot({ authenticate }),
        MetricsModule,
      ],
    });
    const { emissions } = app;
    // Nothing in this application can be unknown to it: what the signal does is counted all the same.
    signal('emissions:delivery:unknown', () => ({ reason: 'handler', consumer: 'x', count: 1 }));
    emissions.subscribe('mail', () => {}, { id: 'handles' });
    emissions.subscribe('mail', () => IGNORED, { id: 'ignores' });
    emissions.emit('nowhere', 1);
    await emissions.run(() => emissions.terminate());
    await emissions.run(() => {
      emissions.emit('mail', 1);
      emissions.emit('stuck', 1, {}, { ttlMs: 60_000 });
      emissions.emit('mail', 1, {}, { ttlMs: 0.000_001 });
      emissions.emit('stored', 1, {}, { key: 'a' });
    });
    const deliveries = app.app.get(DurableDeliveries);
    await untilAsked(async () => (await deliveries.failed()).length === 1);
    await emissions.run(() => emissions.emit('stored', 2, {}, { key: 'a' }));
    const scraped = async () => (text = await (await app.request('GET', '/metrics')).text());
    using _client = await connect(app.url, { tenant: 'a' });
    await untilAsked(async () => /emissions_deliveries_completed_total\S* 2/.test(await scraped()));
  }, 60_000);

  afterAll(async () => {
    release();
    await app.close();
    await database[Symbol.asyncDispose]();
  });

  it('is every metric that the guide lists, of that kind and unit, and no other', () => {
    const documented = tableOf('docs/telemetry.md', 'Metric').map((row) => [
      ...row.slice(0, 5).flatMap((cell, i) => (i === 1 ? [cell] : i === 3 ? [] : marked(cell))),
    ]);
    const told = Array.from(
      text.matchAll(/^# UNIT (emissions_\S+) (\S+)\n# TYPE \S+ (\S+)$/gm),
      ([, name, unit, kind]) => [kind!, unit!, name!].join(' '),
    );
    const listed = documented.map(([metric, kind, unit, name]) => {
      expect(name!.replace(/_total$/, '')).toBe(metric!.replaceAll('.', '_'));
      return [kind!, unit!, name!].join(' ');
    });
    expect(told.sort()).toEqual(listed.sort());
  });

  it('tells by attributes whose it is, as the guide says', () => {
    const attributes = new Map(
      tableOf('docs/telemetry.md', 'Metric').map((row) => [
        marked(row[4]!)[0]!,
        row[3] === '' ? [] : row[3]!.split(', ').sort(),
      ]),
    );
    for (const [, name, labels] of text.matchAll(/^(emissions_\w+)\{(.*)\} /gm)) {
      const given = Array.from(labels!.matchAll(/emissions_(\w+)="/g), ([, label]) => label!);
      const allowed = attributes.get(name!.replace(/_(count|sum|bucket)$/, ''));
      // What is dropped before it has a consumer has none.
      const isEarly = name === 'emissions_dropped_total' && !given.includes('consumer');
      const expected = isEarly ? allowed!.filter((label) => label !== 'consumer') : allowed;
      expect([name, given.sort()]).toEqual([name, expected]);
    }
  });

  it.each([
    ['emissions_failed_total{emissions_consumer="mail"', 1],
    ['emissions_retried_total{emissions_consumer="mail"', 1],
    ['emissions_delivered_total{emissions_consumer="handles"', 1],
    ['emissions_ignored_total{emissions_consumer="ignores"', 1],
    ['emissions_dropped_total{emissions_reason="unbuffered"', 1],
    ['emissions_pending{emissions_consumer="stuck"', 1],
    ['emissions_capacity{emissions_consumer="stuck"', 100],
    ['emissions_deliveries_enqueued_total{', 4],
    ['emissions_deliveries_completed_total{emissions_consumer="done"', 2],
    ['emissions_deliveries_failed_total{emissions_consumer="stored"', 1],
    ['emissions_deliveries_dead_total{emissions_consumer="stored"', 1],
    ['emissions_backlog_waiting{emissions_consumer="stored"', 1],
    ['emissions_backlog_dead{emissions_consumer="stored"', 1],
    ['emissions_backlog_blocked_keys{emissions_consumer="stored"', 1],
    ['emissions_gateway_clients{', 1],
    ['emissions_gateway_slow_total{', 0],
  ])('is true: %s… %d', (series, value) => {
    const line = text.split('\n').find((each) => each.startsWith(series));
    expect(line?.split(' ').at(-1)).toBe(String(value));
  });
});
