import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { Emissions, EmissionsModule, OnEmission } from 'nestjs-emissions';
import {
  DurableDeliveries,
  EmissionsDurableModule,
  type DurableOptions,
} from 'nestjs-emissions/durable';
import pg from 'pg';
import { getRollbackPlans } from 'pg-boss';
import { makeIndexes } from '../../../lib/durable/pg-boss/pg-boss.start.js';
import { nestjsEmissions, type Outcome } from '../../support/command-line.js';
import { DATABASE_URL, postgres, type TestDatabase } from '../../support/databases.js';
import { until, untilAsked } from '../../support/until.js';

@Injectable()
class Handlers {
  readonly taken: unknown[] = [];
  fails = false;

  @OnEmission('placed', { durable: true, id: 'takes', maxAttempts: 1 })
  take(payload: unknown): void {
    if (this.fails) throw new Error('not now');
    this.taken.push(payload);
  }
}

async function starting(options: Partial<DurableOptions>) {
  const module = await Test.createTestingModule({
    imports: [EmissionsModule.forRoot(), EmissionsDurableModule.forRoot(options)],
    providers: [Handlers],
  }).compile();
  const app = module.createNestApplication({ logger: false });
  return app.init().catch(async (error: unknown) => {
    await app.close().catch(() => {});
    throw error;
  });
}

async function withTransaction(
  work: (client: pg.Client & { processID?: number }) => Promise<void>,
): Promise<void> {
  const client = new pg.Client(DATABASE_URL!);
  await client.connect();
  try {
    await client.query('BEGIN');
    await work(client);
  } finally {
    await client.end();
  }
}

const onPostgres = DATABASE_URL === undefined ? describe.skip : describe;

onPostgres('The tables of durable deliveries', () => {
  let database: TestDatabase;
  const roles: string[] = [];

  beforeEach(async () => {
    database = await postgres();
  });

  afterEach(async () => {
    for (const role of roles.splice(0)) {
      // oxlint-disable-next-line no-await-in-loop
      await database.query(`DROP OWNED BY ${role} CASCADE`);
      // oxlint-disable-next-line no-await-in-loop
      await database.query(`DROP ROLE ${role}`);
    }
    await database[Symbol.asyncDispose]();
  });

  const migrate = (...args: string[]): Promise<Outcome> =>
    nestjsEmissions(['migrate', '--schema', database.schema, ...args], {
      DATABASE_URL: DATABASE_URL!,
    });

  const waitingBehind = ({ processID }: { processID?: number }): Promise<unknown[]> =>
    database.query(
      `SELECT pid FROM pg_stat_activity WHERE ${processID} = ANY(pg_blocking_pids(pid))`,
    );

  /** As an application's own, that may neither make nor change tables. */
  async function withoutRights(): Promise<Partial<DurableOptions>> {
    const role = `${database.schema}_app`;
    roles.push(role);
    await database.query(`CREATE ROLE ${role} LOGIN PASSWORD 'secret'`);
    const url = new URL(DATABASE_URL!);
    url.username = role;
    url.password = 'secret';
    return { ...database.options, connectionString: url.href };
  }

  async function grant({ connectionString }: Partial<DurableOptions>): Promise<void> {
    const role = new URL(connectionString!).username;
    const { schema } = database;
    await database.query(`GRANT USAGE ON SCHEMA ${schema} TO ${role}`);
    await database.query(
      `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${schema} TO ${role}`,
    );
  }

  it('are made once by many applications that start at the same moment, and start them all', async () => {
    const DROPPED = ['running', 'dead', 'aside'].map(
      (name) => `DROP INDEX ${database.schema}.nestjs_emissions_${name}`,
    );
    for (let round = 0; round < 6; round += 1) {
      // oxlint-disable-next-line no-await-in-loop -- the first makes the tables, those after it the indexes
      const started = await Promise.allSettled(
        Array.from({ length: 6 }, () => starting({ ...database.options, connections: 2 })),
      );
      // oxlint-disable-next-line no-await-in-loop
      for (const app of started) if (app.status === 'fulfilled') await app.value.close();
      expect(started.map((app) => (app.status === 'rejected' ? app.reason : 'up'))).toEqual(
        started.map(() => 'up'),
      );
      // oxlint-disable-next-line no-await-in-loop -- fails where one of them is not there
      for (const drop of DROPPED) await database.query(drop);
    }
  }, 60_000);

  it('get an index from one application that another is making as well', async () => {
    await (await starting(database.options)).close();
    const index = `${database.schema}.nestjs_emissions_dead`;
    const [found] = await database.query(`SELECT pg_get_indexdef('${index}'::regclass) AS text`);
    await database.query(`DROP INDEX ${index}`);
    const executeSql = async (text: string, values?: unknown[]) => ({
      rows: await database.query(text, values),
    });
    await withTransaction(async (other) => {
      await other.query(found?.['text']);
      const options = { schema: database.schema, backend: 'postgres' } as const;
      const made = makeIndexes({ getDb: () => ({ executeSql }) }, options, true);
      await untilAsked(async () => (await waitingBehind(other)).length > 0);
      await other.query('COMMIT');
      await made;
    });
    expect(await database.query(`SELECT '${index}'::regclass AS name`)).toHaveLength(1);
  }, 60_000);

  it('hold back no application, and are not held by it, while others have transactions open', async () => {
    await (await starting(database.options)).close();
    await withTransaction(async (other) => {
      await other.query(`LOCK TABLE ${database.schema}.job_common IN ROW EXCLUSIVE MODE`);
      await (await starting(database.options)).close();
      expect(await waitingBehind(other)).toEqual([]);
    });
  }, 60_000);

  it('serve an application that may not change them, once they are made', async () => {
    const options = await withoutRights();
    await expect(starting({ ...options, migrate: false })).rejects.toMatchObject({
      code: 'EMISSIONS_TABLES_NOT_READY',
      message: expect.stringContaining(`npx nestjs-emissions migrate --schema ${database.schema}`),
    });
    expect(await migrate()).toMatchObject({ code: 0 });
    await expect(starting({ ...options, migrate: false })).rejects.toThrow(
      `permission denied for schema ${database.schema}`,
    );
    await grant(options);
    await (await starting(options)).close();
    await database.query(`DROP INDEX ${database.schema}.nestjs_emissions_running`);
    await expect(starting(options)).rejects.toThrow(/must be owner of/);
    expect(await migrate()).toMatchObject({ code: 0 });

    const app = await starting({ ...options, migrate: false });
    try {
      const handlers = app.get(Handlers);
      const emissions = app.get(Emissions);
      handlers.fails = true;
      await emissions.run(() => void emissions.emit('placed', 1));
      const deliveries = app.get(DurableDeliveries);
      while ((await deliveries.failed()).length === 0);
      handlers.fails = false;
      await emissions.run(() => void emissions.emit('placed', 2, {}, { key: 'a' }));
      await until(() => handlers.taken.length === 1);

      // The command line as the same user, while the application works: it notices.
      const retried = await nestjsEmissions(
        ['retry', '--all', '--schema', database.schema, '--url', options.connectionString!],
        {},
      );
      expect(retried).toEqual({ code: 0, out: 'Retried 1 of takes.', error: '' });
      await until(() => handlers.taken.length === 2);
      expect(handlers.taken).toEqual([2, 1]);
    } finally {
      await app.close();
    }
  }, 60_000);

  it('are migrated to the last index, and until then no application starts on them', async () => {
    const { now } = JSON.parse((await migrate('--json')).out) as { now: number };
    await database.query(getRollbackPlans(database.schema, now));
    await database.query(`DROP INDEX IF EXISTS ${database.schema}.nestjs_emissions_running`);
    const options = { ...database.options, migrate: false };
    await expect(starting(options)).rejects.toThrow(
      `of version ${now - 1}, and the pg-boss that is installed here works with another`,
    );
    const { code, out, error } = await migrate();
    expect({ code, out }).toEqual({
      code: 0,
      out: `Migrated the tables of durable deliveries in the schema '${database.schema}' from version ${now - 1} to ${now}.`,
    });
    const built = await database.query(`SELECT name, status FROM ${database.schema}.bam`);
    expect(built.every(({ status }) => status === 'completed')).toBe(true);
    for (const { name } of built) expect(error).toContain(`Building ${name} on `);
    expect(
      await database.query(
        `SELECT 1 FROM pg_indexes WHERE schemaname = $1 AND indexname = 'nestjs_emissions_running'`,
        [database.schema],
      ),
    ).toHaveLength(1);
    await (await starting(options)).close();
  }, 90_000);

  it('are said not to be migrated when an index cannot be built', async () => {
    await migrate();
    await database.query(
      `INSERT INTO ${database.schema}.bam (name, version, status, table_name, command)
       VALUES ('broken', 1, 'pending', 'nothing', 'CREATE INDEX CONCURRENTLY broken ON ${database.schema}.nothing (x)')`,
    );
    // Its turn comes ten seconds after the last one looked.
    await database.query(`UPDATE ${database.schema}.version SET bam_on = NULL`);
    expect(await migrate()).toMatchObject({
      code: 1,
      out: '',
      error: expect.stringMatching(
        /^nestjs-emissions: broken could not be built: .*migrate once more/m,
      ),
    });
    await database.query(`DELETE FROM ${database.schema}.bam`);
    expect(await migrate()).toMatchObject({ code: 0, error: '' });
  }, 60_000);
});
