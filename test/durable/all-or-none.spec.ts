import { describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { EmissionsModule, OnEmission, PipelineFullError } from 'nestjs-emissions';
import { EmissionsDurableModule, fromPg } from 'nestjs-emissions/durable';
import pg from 'pg';
import { HeldAdapter } from '../support/adapters.js';
import { start, type RunningApp } from '../support/app.js';
import { DATABASES, DATABASE_URL, postgres, type TestDatabase } from '../support/databases.js';
import { until } from '../support/until.js';

@Injectable()
class Handlers {
  readonly taken: unknown[] = [];

  @OnEmission('placed', { durable: true, id: 'takes' })
  take(payload: unknown): void {
    this.taken.push(payload);
  }
}

/** An application whose adapter has taken all it can take. */
async function full(
  database: TestDatabase,
): Promise<{ running: RunningApp; adapter: HeldAdapter; handlers: Handlers }> {
  const adapter = new HeldAdapter();
  const registered = {
    name: 'full',
    useValue: adapter,
    consumer: { capacity: 1, overflow: 'reject' },
  } as const;
  const running = await start({
    imports: [
      EmissionsModule.forRoot({ adapters: [registered] }),
      EmissionsDurableModule.forRoot(database.options),
    ],
    providers: [Handlers],
  });
  await running.emissions.run(() => void running.emissions.emit('placed', 1));
  await until(() => adapter.running === 1);
  const handlers = running.app.get(Handlers);
  await until(() => handlers.taken.length === 1);
  return { running, adapter, handlers };
}

async function stored(database: TestDatabase): Promise<unknown[]> {
  const jobs = await database.query(
    `SELECT data->'emission'->>'payload' AS payload FROM ${database.schema}.job ORDER BY 1`,
  );
  return jobs.map(({ payload }) => payload);
}

describe.each(DATABASES)('A commit that a full queue refuses, on %s', (_, make) => {
  it('has stored nothing, and is whole when it is made again', async () => {
    await using database = await make();
    const { running, adapter, handlers } = await full(database);
    const { emissions } = running;
    const again = (): Promise<unknown> => emissions.run(() => void emissions.emit('placed', 2));
    await expect(again()).rejects.toThrow(PipelineFullError);
    expect(await stored(database)).toEqual(['1']);
    adapter.release();
    await emissions.settled();
    await again();
    await until(() => handlers.taken.length === 2);
    adapter.release();
    await running.close();

    expect([adapter.emissions.length, handlers.taken]).toEqual([2, [1, 2]]);
  }, 30_000);
});

(DATABASE_URL === undefined ? describe.skip : describe)(
  'A transaction that a full queue refuses',
  () => {
    it('is rolled back', async () => {
      await using database = await postgres();
      const { running, adapter } = await full(database);
      const { emissions } = running;
      await database.query(`CREATE TABLE ${database.schema}.rows (id int)`);
      const pool = new pg.Pool({ connectionString: DATABASE_URL });
      const refused = emissions.transaction(fromPg(pool), async (client) => {
        await client.query(`INSERT INTO ${database.schema}.rows VALUES (1)`);
        emissions.emit('placed', 2);
      });
      await expect(refused).rejects.toThrow(PipelineFullError);
      expect(await stored(database)).toEqual(['1']);
      expect(await database.query(`SELECT * FROM ${database.schema}.rows`)).toEqual([]);
      adapter.release();
      await pool.end();
      await running.close();
    });
  },
);
