// A place of its own for each measurement, in the PostgreSQL that DATABASE_URL names or that is brought up.
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { bringUpServices } from '../../scripts/services.mjs';

await bringUpServices();
export const connectionString = process.env.DATABASE_URL;

const name = () => `bench_${randomBytes(5).toString('hex')}`;

/** A schema of its own, dropped in the end. */
export async function withSchema(work) {
  const schema = name();
  const pool = new pg.Pool({ connectionString });
  try {
    return await work(schema);
  } finally {
    await pool.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
    await pool.end();
  }
}

/** A database of its own, for those who cannot have a schema. */
export async function withDatabase(work) {
  const database = name();
  const pool = new pg.Pool({ connectionString });
  await pool.query(`CREATE DATABASE ${database}`);
  try {
    const url = new URL(connectionString);
    url.pathname = database;
    return await work(url.href);
  } finally {
    await pool.query(`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`);
    await pool.end();
  }
}
