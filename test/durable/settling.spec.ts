import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { EmissionsModule, OnEmission, type Emission, type HandlerContext } from 'nestjs-emissions';
import { EmissionsDurableModule, fromPg } from 'nestjs-emissions/durable';
import pg from 'pg';
import { start, type RunningApp } from '../support/app.js';
import { DATABASE_URL, postgres, type TestDatabase } from '../support/databases.js';
import { until, untilAsked } from '../support/until.js';

/** Held until they are released, by what they were given. */
@Injectable()
class Handlers {
  readonly contexts = new Map<unknown, HandlerContext>();
  readonly releases = new Map<unknown, () => void>();
  pool: pg.Pool | undefined;

  @OnEmission('work', { durable: true, id: 'work', concurrency: 3 })
  async work(payload: unknown, _: Emission, context: HandlerContext): Promise<void> {
    if (payload === 'completed') await context.transaction(fromPg(this.pool!), () => {});
    this.contexts.set(payload, context);
    return new Promise((resolve) => this.releases.set(payload, resolve));
  }
}

(DATABASE_URL === undefined ? describe.skip : describe)('What handlers have done', () => {
  let database: TestDatabase;
  let running: RunningApp;
  let handlers: Handlers;
  let pool: pg.Pool;

  beforeEach(async () => {
    database = await postgres();
    pool = new pg.Pool({ connectionString: DATABASE_URL });
    running = await start({
      imports: [
        EmissionsModule.forRoot(),
        EmissionsDurableModule.forRoot({ ...database.options, heartbeatMs: 10_000 }),
      ],
      providers: [Handlers],
    });
    handlers = running.app.get(Handlers);
    handlers.pool = pool;
  }, 60_000);

  afterEach(async () => {
    await running.close();
    await pool.end();
    await database[Symbol.asyncDispose]();
  });

  const begin = async (...payloads: string[]): Promise<void> => {
    const { emissions } = running;
    await emissions.run(() => {
      for (const payload of payloads) emissions.emit('work', payload);
    });
    await until(() => handlers.contexts.size === payloads.length);
  };
  const named = (payload: string): string =>
    `${database.schema}.job WHERE data->'emission'->>'payload' = '${payload}'`;
  const isWaitedFor = async (): Promise<boolean> => {
    const { rows } = await pool.query(
      `SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%${database.schema}%'`,
    );
    return rows.length > 0;
  };

  it('is known to the database when the application has closed, though that is slow', async () => {
    await begin('a', 'b', 'c');
    const client = await pool.connect();
    await client.query('BEGIN');
    await client.query(`SELECT 1 FROM ${named('a')} FOR UPDATE`);
    handlers.releases.get('a')!();
    await untilAsked(isWaitedFor);
    // These wait until the database has heard of the first.
    handlers.releases.get('b')!();
    const closed = running.close();
    handlers.releases.get('c')!();
    await client.query('COMMIT');
    client.release();
    await closed;
    const rows = await database.query(`SELECT state::text FROM ${database.schema}.job`);
    expect(rows).toEqual(['completed', 'completed', 'completed'].map((state) => ({ state })));
  }, 30_000);

  it('in a transaction is not taken from them when another delivery is lost', async () => {
    await begin('completed', 'stolen');
    await database.query(
      `UPDATE ${named('stolen').replace(' WHERE', ' SET retry_count = 2 WHERE')}`,
    );
    const [completed, stolen] = ['completed', 'stolen'].map(
      (payload) => handlers.contexts.get(payload)!.signal,
    );
    await until(() => stolen!.aborted, 20_000_000);
    expect(stolen!.reason).toMatchObject({ code: 'EMISSIONS_DELIVERY_LOST' });
    expect(completed!.aborted).toBe(false);
    for (const release of handlers.releases.values()) release();
  }, 30_000);
});
