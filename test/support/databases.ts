import { randomBytes } from 'node:crypto';
import { PGlite } from '@electric-sql/pglite';
import pg from 'pg';
import type { DurableOptions } from 'nestjs-emissions/durable';

/** Where PostgreSQL answers; unset where there is none, and what needs it is skipped. */
export const DATABASE_URL: string | undefined = process.env['DATABASE_URL'];

/** A schema of its own in a database, with what a test needs to look into it. */
export interface TestDatabase extends AsyncDisposable {
  readonly schema: string;
  /** What the module is given; the same again for another application on the same tables. */
  readonly options: Partial<DurableOptions>;
  query<T = Record<string, any>>(text: string, values?: unknown[]): Promise<T[]>;
}

/** The databases that durable deliveries are promised on. */
export const DATABASES: readonly [name: string, make: () => Promise<TestDatabase>][] = [
  ...(DATABASE_URL === undefined ? [] : [['PostgreSQL', postgres] as const]),
  ['PGlite', pglite] as const,
].map(([name, make]) => [name, make]);

/** Quick: what takes seconds by default takes a fraction of one. */
const QUICK = { pollMs: 50, heartbeatMs: 1_000, drainTimeoutMs: 2_000 };

/** A schema in the PostgreSQL of the tests, dropped in the end. */
export async function postgres(): Promise<TestDatabase> {
  const schema = `test_${randomBytes(6).toString('hex')}`;
  const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 4 });
  return {
    schema,
    options: { connectionString: DATABASE_URL!, schema, connections: 4, ...QUICK },
    query: async (text, values = []) => (await pool.query(text, values as never)).rows as never,
    [Symbol.asyncDispose]: async () => {
      await pool.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
      await pool.end();
    },
  };
}

/** A PGlite in memory. */
export async function pglite(): Promise<TestDatabase> {
  const database = await PGlite.create();
  return {
    schema: 'emissions',
    options: { embedded: database, ...QUICK },
    query: async (text, values = []) => (await database.query(text, values)).rows as never,
    [Symbol.asyncDispose]: () => database.close(),
  };
}
