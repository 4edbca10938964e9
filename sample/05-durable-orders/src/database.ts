import { join } from 'node:path';
import { Module } from '@nestjs/common';
import { PGlite } from '@electric-sql/pglite';
import type { TransactionSource } from 'nestjs-emissions';
import { fromPg, fromPglite, type DurableOptions } from 'nestjs-emissions/durable';
import pg from 'pg';

/** What statements are run on. */
export interface Queries {
  query(text: string, values?: unknown[]): Promise<{ rows: any[] }>;
}

/** Where all tables of this sample are. */
export const SCHEMA = process.env['SCHEMA'] ?? 'durable_orders';

/** The database of this process: PostgreSQL where DATABASE_URL names one, else PGlite in a folder. */
export class Database {
  constructor(
    private readonly queries: Queries,
    /** Its transactions. */
    readonly source: TransactionSource<Queries>,
    /** The same database, for deliveries. */
    readonly durable: Partial<DurableOptions>,
    readonly close: () => Promise<void>,
  ) {}

  async query<Row>(text: string, values: unknown[] = []): Promise<Row[]> {
    return (await this.queries.query(text, values)).rows;
  }
}

const TABLES = [
  'orders (id serial PRIMARY KEY, item text, quantity int, emission uuid)',
  'invoices (number serial, "order" int PRIMARY KEY)',
  'emails ("order" int PRIMARY KEY, attempts int)',
];

async function openDatabase(): Promise<Database> {
  const database = await connect(process.env['DATABASE_URL']);
  await database.query(`CREATE SCHEMA IF NOT EXISTS ${SCHEMA}`);
  // oxlint-disable-next-line no-await-in-loop -- three, once
  for (const table of TABLES) await database.query(`CREATE TABLE IF NOT EXISTS ${SCHEMA}.${table}`);
  return database;
}

async function connect(connectionString: string | undefined): Promise<Database> {
  if (connectionString !== undefined) {
    const pool = new pg.Pool({ connectionString });
    return new Database(pool, fromPg(pool), { connectionString }, () => pool.end());
  }
  const folder = process.env['DATA'] ?? join(import.meta.dirname, '..', 'data');
  const pglite = await PGlite.create(folder);
  return new Database(pglite, fromPglite(pglite), { embedded: pglite }, () => pglite.close());
}

@Module({
  providers: [{ provide: Database, useFactory: openDatabase }],
  exports: [Database],
})
export class DatabaseModule {}
