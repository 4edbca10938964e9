import { afterEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { EmissionsModule, OnEmission, type Emission, type HandlerContext } from 'nestjs-emissions';
import {
  DurableDeliveries,
  EmissionsDurableModule,
  type DurableBackend,
  type DurableOptions,
} from 'nestjs-emissions/durable';
import pg from 'pg';
import { PgBoss } from 'pg-boss';
import { DIALECTS } from '../../lib/durable/pg-boss/dialect.js';
import { statementsOf } from '../../lib/durable/pg-boss/pg-boss.statements.js';
import { start, type RunningApp } from '../support/app.js';
import { DATABASE_URL, postgres, type TestDatabase } from '../support/databases.js';
import { listen } from '../support/signals.js';
import { until } from '../support/until.js';

const onPostgres = DATABASE_URL === undefined ? describe.skip : describe;

@Injectable()
class Handlers {
  readonly taken: number[] = [];
  fails = true;

  @OnEmission('work', { durable: true, id: 'work', maxAttempts: 2, retry: { backoffMs: 1 } })
  take({ n }: { n: number }, _: Emission, { attempt }: HandlerContext): void {
    if (n === 3 && (attempt === 1 || this.fails)) throw new Error('no');
    this.taken.push(n);
  }
}

const application = (options: Partial<DurableOptions>): Promise<RunningApp> =>
  start({
    imports: [EmissionsModule.forRoot(), EmissionsDurableModule.forRoot(options)],
    providers: [Handlers],
  });

/** Everything there is about deliveries: with a key and without, delayed, retried, dead, blocked, released. */
async function allOfIt({ app, emissions }: RunningApp): Promise<void> {
  using log = listen('emissions:delivery:completed', 'emissions:delivery:dead');
  const handlers = app.get(Handlers);
  const deliveries = app.get(DurableDeliveries);
  await emissions.run(() => {
    for (const n of [1, 2, 3, 4, 5]) emissions.emit('work', { n }, {}, { key: 'k' });
    emissions.emit('work', { n: 6 }, {}, { delayMs: 10 });
    emissions.emit('work', { n: 7 }, {}, { delayMs: 60_000 });
  });
  await until(() => log.of('emissions:delivery:dead').length === 1, 20_000_000);
  await until(() => handlers.taken.length === 3, 20_000_000);
  expect(handlers.taken.toSorted((a, b) => a - b)).toEqual([1, 2, 6]);
  expect(await deliveries.blockedKeys('work')).toEqual(['k']);
  expect(await deliveries.stats()).toMatchObject([{ handler: 'work', delayed: 1, dead: 1 }]);
  const [dead] = await deliveries.failed();
  expect(dead!.errors.map(({ message }) => message)).toEqual(['no', 'no']);

  handlers.fails = false;
  expect(await deliveries.retry(dead!.id)).toBe(1);
  await until(() => log.of('emissions:delivery:completed').length === 6, 20_000_000);
  expect(handlers.taken.filter((n) => n < 6)).toEqual([1, 2, 3, 4, 5]);
}

onPostgres('Another kind of database', () => {
  let database: TestDatabase;

  afterEach(async () => {
    await database[Symbol.asyncDispose]();
  });

  // What pg-boss makes and says for these runs on PostgreSQL as well.
  it.each<[DurableBackend, string]>([
    ['cockroachdb', 'job'],
    ['yugabytedb', 'job'],
    ['citus', 'job_common'],
  ])(
    'is told to pg-boss, and kept to: %s',
    async (backend, table) => {
      database = await postgres();
      await using running = await application({ ...database.options, backend });
      await allOfIt(running);
      const tables = await database.query(
        `SELECT relname, relkind FROM pg_class WHERE relnamespace = $1::regnamespace AND relname IN ('job', 'job_common')`,
        [database.schema],
      );
      // A table that has partitions is of the kind `p`.
      expect(tables.find(({ relname }) => relname === 'job')!['relkind']).toBe(
        table === 'job' ? 'r' : 'p',
      );
      expect(tables.some(({ relname }) => relname === 'job_common')).toBe(table === 'job_common');
    },
    60_000,
  );

  it('is not asked for what it does not have: CockroachDB', async () => {
    database = await postgres();
    const { indexes, ...statements } = statementsOf('x', DIALECTS.cockroachdb);
    const used = ['accept', 'fail', 'release', 'rescue', 'adopt', 'due', 'find'] as const;
    for (const text of [
      ...used.map((name) => statements[name]),
      ...indexes.map(({ make }) => make),
    ]) {
      expect(text).not.toMatch(/notify|SKIP LOCKED|job_common|RECURSIVE|LATERAL/i);
      // One change of a table in a statement.
      expect(text.match(/\b(UPDATE|INSERT INTO|DELETE FROM) "x"\./g)?.length ?? 0).toBeLessThan(2);
    }
  });
});

onPostgres('A pg-boss that the application has already', () => {
  let database: TestDatabase;
  let boss: PgBoss;

  afterEach(async () => {
    await boss.stop({ graceful: false });
    await database[Symbol.asyncDispose]();
  });

  async function started(options: object = {}): Promise<PgBoss> {
    database = await postgres();
    boss = new PgBoss({
      connectionString: DATABASE_URL!,
      schema: database.schema,
      schedule: false,
      ...options,
    });
    return boss.start();
  }

  const given = (): Partial<DurableOptions> => {
    const { connectionString: _, connections: __, ...others } = database.options;
    return { ...others, boss };
  };

  it('is used for deliveries, and left running, with its own queues, when the application closes', async () => {
    await started();
    await boss.createQueue('mails');
    await boss.send('mails', { to: 'ada' });
    const running = await application(given());
    const deliveries = running.app.get(DurableDeliveries);
    expect((await deliveries.stats()).map(({ handler }) => handler)).toEqual(['work']);
    await allOfIt(running);
    await running.close();
    expect(await boss.fetch('mails')).toMatchObject([{ data: { to: 'ada' } }]);
    expect((await boss.getQueues()).map(({ name }) => name).sort()).toEqual(
      ['mails', 'work', 'work/keyed'].sort(),
    );
  }, 30_000);

  it('takes deliveries in transactions of the application, on its tables', async () => {
    await started();
    await using running = await application(given());
    const { fromPg } = await import('nestjs-emissions/durable');
    const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 1 });
    const { emissions, app } = running;
    await expect(
      emissions.transaction(fromPg(pool), () => {
        emissions.emit('work', { n: 8 });
        throw new Error('rolled back');
      }),
    ).rejects.toThrow('rolled back');
    await emissions.transaction(fromPg(pool), () => void emissions.emit('work', { n: 9 }));
    await until(() => app.get(Handlers).taken.length > 0);
    expect(app.get(Handlers).taken).toEqual([9]);
    await pool.end();
  });

  it('is refused when it has no tables where it is said to have them', async () => {
    await started();
    await expect(application({ ...given(), schema: 'elsewhere' })).rejects.toThrow(
      /The given pg-boss has no table elsewhere\.job_common\. Start it before it is given, and say what it was made with/,
    );
  });

  it('does not have a queue of its own taken for that of a handler', async () => {
    await started();
    await boss.createQueue('work');
    await expect(application(given())).rejects.toThrow(
      new RegExp(`The queue 'work' in the schema '${database.schema}' is somebody else's`),
    );
  });

  it('does not have a delivery deleted that it has failed itself', async () => {
    await started();
    await using running = await application({ ...given(), worker: false });
    const { emissions } = running;
    await emissions.run(() => void emissions.emit('work', { n: 1 }));
    for (const _ of [1, 2]) {
      // oxlint-disable-next-line no-await-in-loop -- one attempt after another
      const jobs = await boss.fetch('work', { includeMetadata: true });
      // oxlint-disable-next-line no-await-in-loop
      await boss.fail('work', jobs, { message: 'by hand' });
    }
    const kept = () =>
      database.query(
        `SELECT state::text, deletion_seconds FROM ${database.schema}.job WHERE name = 'work'`,
      );
    expect(await kept()).toEqual([{ state: 'failed', deletion_seconds: 86_400 }]);
    await using worker = await application(given());
    let [row] = await kept();
    while (row!['deletion_seconds'] !== 0) {
      // oxlint-disable-next-line no-await-in-loop -- the database is asked until it says so
      [row] = await kept();
    }
    expect(await worker.app.get(DurableDeliveries).failed()).toMatchObject([
      { state: 'dead', attempts: 2 },
    ]);
  });
});
