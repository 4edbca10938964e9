import { ok } from 'node:assert';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { ConfigurationError, EmissionsModule, OnEmission } from 'nestjs-emissions';
import {
  DatabaseUnavailableError,
  EmissionsDurableModule,
  type DurableOptions,
} from 'nestjs-emissions/durable';
import pg from 'pg';
import { PgBoss } from 'pg-boss';
import { withDatabase } from '../../lib/durable/database/database-failure.js';
import { start, type RunningApp } from '../support/app.js';
import { nestjsEmissions } from '../support/command-line.js';
import { DATABASE_URL, DATABASES, postgres } from '../support/databases.js';
import { until } from '../support/until.js';
import { wireTo, type Wire } from '../support/wire.js';

@Injectable()
class Handlers {
  readonly taken: unknown[] = [];

  @OnEmission('work', { durable: true, id: 'work' })
  take(payload: unknown): void {
    this.taken.push(payload);
  }
}

const starting = (options: Partial<DurableOptions>): Promise<RunningApp> =>
  start({
    imports: [EmissionsModule.forRoot(), EmissionsDurableModule.forRoot(options)],
    providers: [Handlers],
  });

async function failureOf(options: Partial<DurableOptions>): Promise<DatabaseUnavailableError> {
  const [{ reason }] = (await Promise.allSettled([starting(options)])) as [PromiseRejectedResult];
  expect(reason).toBeInstanceOf(DatabaseUnavailableError);
  return reason as DatabaseUnavailableError;
}

/** The same database behind a wire. */
function behind({ port }: Wire): URL {
  const url = new URL(DATABASE_URL!);
  url.hostname = '127.0.0.1';
  url.port = String(port);
  return url;
}

const SECRET = 'sesame';
const LINE =
  "EmissionsDurableModule.forRoot({ connectionString: 'postgres://user:password@host:port/name' }).";

describe('An application that starts while its database is away', () => {
  it.each([true, false])(
    'says where it looked for it, and how to mend that, with migrate: %p',
    async (migrate) => {
      const connectionString = `postgres://me:${SECRET}@127.0.0.1:1/orders`;
      const error = await failureOf({ connectionString, migrate });
      expect(error).toMatchObject({
        code: 'EMISSIONS_DATABASE_UNAVAILABLE',
        place: "'orders' at 127.0.0.1:1 (option connectionString)",
        cause: { code: 'ECONNREFUSED' },
      });
      expect(error.message).toBe(
        "EmissionsDurableModule cannot use its database, 'orders' at 127.0.0.1:1 (option connectionString): " +
          'connect ECONNREFUSED 127.0.0.1:1. See that it is up and can be reached from here, or mend the address: ' +
          LINE,
      );
    },
  );

  it('says what an address of a name with several has answered', async () => {
    const error = await failureOf({ connectionString: `postgres://me@localhost:1/orders` });
    expect(error.message).toMatch(/'orders' at localhost:1 .*: connect ECONNREFUSED [^ ]+:1\. /);
  });

  it.each([
    ['an address', '127.0.0.1:1/orders?host=/nowhere', "'orders' at /nowhere:1"],
    ['a port', '[::1]:1/orders', "'orders' at [::1]:1"],
    ['a name', '127.0.0.1:1/a%20b', "'a b' at 127.0.0.1:1"],
    ['no name', '127.0.0.1:1', 'the default database at 127.0.0.1:1'],
  ])('names the place as it is written: %s', async (_, rest, place) => {
    const { message } = await failureOf({ connectionString: `postgres://me:${SECRET}@${rest}` });
    expect(message).toContain(`its database, ${place} (option`);
    expect(message).not.toContain(SECRET);
  });

  it.each(['#', '/', '?'])(
    'tells nothing of a password with a %s in it, which is read as an address, and says how to write it',
    async (sign) => {
      const connectionString = `postgres://127.0.0.1:1${sign}${SECRET}@host/orders`;
      const { message } = await failureOf({ connectionString });
      expect(message).toContain('the one that the option connectionString names: ');
      expect(message).toContain('`postgres://user:${encodeURIComponent(password)}@host:port/name`');
      expect(message).not.toMatch(/sesame|127\.0/);
    },
  );

  it('is told by the command line what the database is refused for', async () => {
    const { code, error } = await nestjsEmissions(['migrate', '--url', 'postgres://x@127.0.0.1:1']);
    expect({ code, error }).toEqual({
      code: 1,
      error:
        'nestjs-emissions: The database refuses, or is not there: connect ECONNREFUSED 127.0.0.1:1',
    });
  });
});

(DATABASE_URL === undefined ? describe.skip : describe)('A database that refuses', () => {
  it.each([
    [
      'the name of a database',
      (url: URL) => void (url.pathname = '/not_there'),
      /'not_there' at .*"not_there" does not exist\. Make it, or name another there: /,
    ],
    [
      'a user',
      (url: URL) => void (url.username = 'not_there'),
      /role "not_there" does not exist\. Mend the user and the password there: /,
    ],
  ])('says so of %s', async (_, alter, message) => {
    const url = new URL(DATABASE_URL!);
    alter(url);
    const error = await failureOf({ connectionString: url.href });
    expect(error.message).toMatch(message);
  });

  it('is known by what pg says without a code: that it is silent', async () => {
    await using wire = await wireTo(Number(new URL(DATABASE_URL!).port || 5432));
    wire.swallow();
    const connectionString = behind(wire).href;
    const pool = new pg.Pool({ connectionString, connectionTimeoutMillis: 50 });
    const asked = withDatabase({ connectionString }, () => pool.query('SELECT 1'));
    await expect(asked).rejects.toThrow(DatabaseUnavailableError);
    await expect(asked).rejects.toThrow(
      /: (timeout|Connection terminated)[^.]*\. See that it is up and can be reached from here/,
    );
    await pool.end();
  });

  it('is said to be that of the pg-boss that was given', async () => {
    await using database = await postgres();
    await using wire = await wireTo(Number(new URL(DATABASE_URL!).port || 5432));
    const { schema } = database;
    const boss = new PgBoss({ connectionString: behind(wire).href, schema, schedule: false });
    boss.on('error', () => {});
    await boss.start();
    wire.cut();
    const { message, place } = await failureOf({ boss, schema });
    expect(place).toBe('the one of the given pg-boss (option boss)');
    expect(message).toMatch(
      /: (connect ECONN|Connection terminated).*, or mend the address: EmissionsDurableModule\.forRoot\(\{ boss \}\)\.$/,
    );
    await boss.stop({ graceful: false });
  });
});

describe.each(DATABASES)('A schema on %s', (_, make) => {
  it('may be called as a word of SQL is', async () => {
    await using database = await make();
    const schema = 'select';
    const running = await starting({ ...database.options, schema });
    try {
      const { app, emissions } = running;
      const { taken } = app.get(Handlers);
      await emissions.run(() => {
        emissions.emit('work', 1);
        emissions.emit('work', 2, {}, { key: 'a' });
      });
      await until(() => taken.length === 2);
      expect(new Set(taken)).toEqual(new Set([1, 2]));
    } finally {
      await running.close();
      await database.query(`DROP SCHEMA "${schema}" CASCADE`);
    }
  }, 60_000);

  it('is refused a name that is kept for the database', async () => {
    await using database = await make();
    const refused = starting({ ...database.options, schema: 'pg_mine' });
    await expect(refused).rejects.toThrow(ConfigurationError);
    await expect(refused).rejects.toThrow(/not beginning with pg_, but got 'pg_mine'/);
  });
});

describe('A fault of the program while the database is asked', () => {
  it.each<[string, () => unknown]>([
    ['an argument of the wrong type', () => Buffer.alloc('x' as never)],
    ['a file that is missing', () => readFileSync('/nowhere/at/all')],
    ['an assertion', () => ok(false)],
    ['an error without a code', () => JSON.parse('{')],
  ])('is not blamed on the database: %s', async (_, fault) => {
    const asked = withDatabase({ connectionString: 'postgres://localhost/x' }, async () => fault());
    await expect(asked).rejects.not.toBeInstanceOf(DatabaseUnavailableError);
  });
});
