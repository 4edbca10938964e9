import { Controller, Get, Inject } from '@nestjs/common';
import { HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { EmissionsModule, OnEmission } from 'nestjs-emissions';
import { DurableDeliveries, EmissionsDurableModule } from 'nestjs-emissions/durable';
import { EmissionsHealthIndicator, type EmissionsHealthOptions } from 'nestjs-emissions/terminus';
import { serve, type RunningApp } from '../../support/app.js';
import { DATABASE_URL, DATABASES, postgres, type TestDatabase } from '../../support/databases.js';
import { untilAsked } from '../../support/until.js';

let thresholds: Partial<EmissionsHealthOptions> = {};
let isBroken = true;

@Controller()
class HealthController {
  constructor(
    @Inject(HealthCheckService) private readonly health: HealthCheckService,
    @Inject(EmissionsHealthIndicator) private readonly emissions: EmissionsHealthIndicator,
  ) {}

  @Get('health')
  check() {
    return this.health.check([() => this.emissions.check('emissions', thresholds)]);
  }

  @OnEmission('order', { durable: true, id: 'invoice', maxAttempts: 1 })
  invoice() {
    if (isBroken) throw new Error('no paper');
  }
}

const serveOn = (database: TestDatabase) =>
  serve({
    imports: [
      TerminusModule.forRoot({ logger: false }),
      EmissionsModule.forRoot(),
      EmissionsDurableModule.forRoot(database.options),
    ],
    controllers: [HealthController],
    providers: [EmissionsHealthIndicator],
  });

async function ask(app: RunningApp) {
  const response = await app.request('GET', '/health');
  const { details } = (await response.json()) as { details: Record<string, object> };
  return { code: response.status, ...details['emissions'] };
}

const WELL = { waiting: 0, running: 0, dead: 0, blockedKeys: 0, oldestMs: 0 };

describe.each(DATABASES)('The health of deliveries on %s', (_, makeDatabase) => {
  let database: TestDatabase;
  let app: RunningApp;

  beforeAll(async () => {
    isBroken = true;
    thresholds = {};
    database = await makeDatabase();
    app = await serveOn(database);
  }, 60_000);

  afterAll(async () => {
    await app.close();
    await database[Symbol.asyncDispose]();
  });

  const emit = (key: string) =>
    app.emissions.run(() => app.emissions.emit('order', 1, {}, { key }));

  it('is up while there are none', async () => {
    expect(await ask(app)).toEqual({
      ...{ code: 200, status: 'up', state: 'running', pending: 0 },
      deliveries: WELL,
    });
  });

  it('is degraded while some are dead and block their keys, and for that which is overdue', async () => {
    const deliveries = app.app.get(DurableDeliveries);
    await emit('a');
    await untilAsked(async () => (await deliveries.failed()).length === 1);
    await emit('a');
    const [first] = await deliveries.stats();
    expect(first).toMatchObject({ handler: 'invoice', waiting: 1, dead: 1 });
    expect(await ask(app)).toMatchObject({
      ...{ code: 200, status: 'degraded' },
      deliveries: {
        ...{ waiting: 1, running: 0, dead: 1, blockedKeys: 1 },
        consumers: [{ consumer: 'invoice', status: 'degraded', reason: '1 dead, 1 keys blocked' }],
      },
    });
    thresholds = { degradedDead: 0, degradedBlockedKeys: 0, downBacklogMs: 1 };
    expect(await ask(app)).toMatchObject({
      ...{ code: 503, status: 'down' },
      deliveries: {
        consumers: [{ status: 'down', reason: expect.stringMatching(/^\d+ ms stored, and due$/) }],
      },
    });
    thresholds = {};
    isBroken = false;
    await deliveries.retry({});
    await untilAsked(async () => {
      const { waiting, running, dead } = (await deliveries.stats())[0]!;
      return waiting + running + dead === 0;
    });
    expect(await ask(app)).toMatchObject({ status: 'up', deliveries: WELL });
  });
});

(DATABASE_URL === undefined ? describe.skip : describe)('Deliveries', () => {
  it('are down when the database does not tell in time what there is, and up when it does again', async () => {
    await using database = await postgres();
    await using app = await serveOn(database);
    const client = new pg.Client({ connectionString: DATABASE_URL });
    await client.connect();
    await client.query('BEGIN');
    await client.query(`LOCK TABLE ${database.schema}.job_common IN ACCESS EXCLUSIVE MODE`);
    thresholds = { backlogTimeoutMs: 50 };
    const reason = 'The database has not told within 50 ms what is stored.';
    expect(await ask(app)).toMatchObject({
      ...{ code: 503, status: 'down' },
      deliveries: { status: 'down', reason },
    });
    await client.query('ROLLBACK');
    await client.end();
    thresholds = {};
    expect(await ask(app)).toMatchObject({ code: 200, status: 'up', deliveries: WELL });
  }, 60_000);
});
