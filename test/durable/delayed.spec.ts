import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { EmissionsModule, OnEmission } from 'nestjs-emissions';
import { DurableDeliveries, EmissionsDurableModule } from 'nestjs-emissions/durable';
import pg from 'pg';
import { PgBoss } from 'pg-boss';
import type { Claim, DeliveryQueue } from '../../lib/durable/delivery/delivery.js';
import { resolveDurableOptions } from '../../lib/durable/durable.module.js';
import { PgBossStore } from '../../lib/durable/pg-boss/pg-boss.store.js';
import { start, type RunningApp } from '../support/app.js';
import { DATABASE_URL, postgres, type TestDatabase } from '../support/databases.js';
import { listen } from '../support/signals.js';
import { until, untilAsked } from '../support/until.js';

const DELAYED = 100_000;
const onPostgres = DATABASE_URL === undefined ? describe.skip : describe;

@Injectable()
class Handlers {
  readonly taken: unknown[] = [];

  @OnEmission('work', { durable: true, id: 'h' })
  take(payload: unknown): void {
    this.taken.push(payload);
  }
}

const queues: DeliveryQueue[] = [false, true].map((isKeyed) => ({
  name: isKeyed ? 'h/keyed' : 'h',
  ...{ isKeyed, maxAttempts: 5, skipsDead: false },
}));
const [plain, keyed] = queues as [DeliveryQueue, DeliveryQueue];

onPostgres('200,000 delayed deliveries', () => {
  let database: TestDatabase;
  let pool: pg.Pool;
  let boss: PgBoss;
  let store: PgBossStore;
  let running: RunningApp;
  /** How many blocks the statements have looked at that were run since. */
  let blocks = 0;
  let isCounting = false;

  /** What runs a statement, counts what the database looks at for it, too: run once more, and undone. */
  async function counted(text: string, values: unknown[]): Promise<void> {
    const client = await pool.connect();
    try {
      await client.query('BEGIN');
      const { rows } = await client.query(
        `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${text}`,
        values as never,
      );
      const [{ Plan }] = rows[0]['QUERY PLAN'];
      blocks += Plan['Shared Hit Blocks'] + Plan['Shared Read Blocks'];
    } finally {
      await client.query('ROLLBACK');
      client.release();
    }
  }

  async function blocksOf(work: () => Promise<unknown>): Promise<number> {
    blocks = 0;
    isCounting = true;
    await work();
    isCounting = false;
    return blocks;
  }

  beforeAll(async () => {
    database = await postgres();
    pool = new pg.Pool({ connectionString: DATABASE_URL, max: 2 });
    const { schema } = database;
    running = await start({
      imports: [
        EmissionsModule.forRoot(),
        EmissionsDurableModule.forRoot({ ...database.options, worker: false }),
      ],
      providers: [Handlers],
    });
    const { emissions } = running;
    // One of each is stored, and then very many alike, each with a key of its own.
    await emissions.run(() => {
      emissions.emit('work', 'later', {}, { delayMs: 3_600_000 });
      emissions.emit('work', 'later', {}, { delayMs: 3_600_000, key: 'k' });
    });
    await pool.query(
      `INSERT INTO ${schema}.job (id, name, data, priority, singleton_key, policy, retry_limit, expire_seconds, deletion_seconds, keep_until,
         heartbeat_seconds, start_after, blocked, created_on)
       SELECT gen_random_uuid(), name, data, priority, singleton_key || n, policy, retry_limit, expire_seconds, deletion_seconds, keep_until,
         heartbeat_seconds, start_after, blocked, created_on
       FROM ${schema}.job, generate_series(2, ${DELAYED}) n`,
    );
    await pool.query(`ANALYZE ${schema}.job_common`);
    boss = new PgBoss({
      schema,
      schedule: false,
      supervise: false,
      db: {
        executeSql: async (text: string, values: unknown[] = []) => {
          if (isCounting) await counted(text, values);
          return pool.query(text, values as never);
        },
      },
    });
    await boss.start();
    store = new PgBossStore(resolveDurableOptions({ boss, schema }));
    await store.open();
    await store.prepare(queues);
  }, 60_000);

  afterAll(async () => {
    await running.close();
    await boss.stop({ graceful: false });
    await pool.end();
    await database[Symbol.asyncDispose]();
  });

  const emit = (payload: string, key?: string) =>
    running.emissions.run(() => void running.emissions.emit('work', payload, {}, { key }));

  it('are there', async () => {
    expect(await store.counts(queues.map(({ name }) => name))).toMatchObject([
      { queue: 'h', waiting: DELAYED, delayed: DELAYED, oldestAt: undefined },
      { queue: 'h/keyed', waiting: DELAYED, delayed: DELAYED, oldestAt: undefined },
    ]);
  });

  it('cost nothing when others are claimed, or what is due is looked for', async () => {
    await emit('now');
    await emit('now', 'k5');
    const claims: Claim[] = [];
    const claiming = await blocksOf(async () => {
      claims.push(...(await store.claim(plain, 20)), ...(await store.claim(keyed, 20)));
    });
    expect(claims.map(({ data }) => data.emission['payload'])).toEqual(['now', 'now']);
    const looking = await blocksOf(async () => {
      expect(await store.due(['h', 'h/keyed'])).toEqual([]);
      expect(await store.rescue(queues)).toEqual([]);
    });
    // What is delayed takes up thousands of blocks, each index of it hundreds.
    const { rows } = await pool.query(
      `SELECT relpages FROM pg_class WHERE oid = '${database.schema}.job_common'::regclass`,
    );
    expect(rows[0].relpages).toBeGreaterThan(5_000);
    expect(claiming).toBeGreaterThan(0);
    expect(claiming).toBeLessThan(200);
    expect(looking).toBeLessThan(200);
    await store.complete(plain.name, claims.slice(0, 1));
    await store.complete(keyed.name, claims.slice(1));
  });

  it('are run when they are due, not before, however many that is at once', async () => {
    const due = 12_000;
    using log = listen('emissions:delivery:completed');
    await using worker = await start({
      imports: [EmissionsModule.forRoot(), EmissionsDurableModule.forRoot(database.options)],
      providers: [Handlers],
    });
    const { taken } = worker.app.get(Handlers);
    await emit('now', 'k7');
    await until(() => log.all.length === 1);
    expect(taken).toEqual(['now']);
    await pool.query(
      `UPDATE ${database.schema}.job SET start_after = now() WHERE (name, id) IN
         (SELECT name, id FROM ${database.schema}.job WHERE blocked ORDER BY name, id LIMIT ${due})`,
    );
    await until(() => log.all.length === due + 1, 20_000_000);
    expect(taken).toHaveLength(due + 1);
    const [{ delayed, waiting }] = (await worker.app.get(DurableDeliveries).stats()) as [never];
    expect([delayed, waiting]).toEqual([2 * DELAYED - due, 2 * DELAYED - due]);
  }, 60_000);

  it('cost nothing when they are done and kept, whatever is looked for', async () => {
    const { schema } = database;
    await pool.query(
      `UPDATE ${schema}.job SET state = 'completed', blocked = false, completed_on = now() WHERE state < 'active'`,
    );
    // A backlog, which the database expects to meet soon in any table it reads from the front.
    await pool.query(
      `UPDATE ${schema}.job SET state = 'created', start_after = now() WHERE (name, id) IN
         (SELECT name, id FROM ${schema}.job WHERE name = 'h' ORDER BY id LIMIT 5000)`,
    );
    // Another test's open transaction may keep what was updated here from being cleared away: then indexes lead to it in vain.
    await untilAsked(async () => {
      await pool.query(`VACUUM ANALYZE ${schema}.job_common`);
      const { rows } = await pool.query(
        `SELECT n_dead_tup AS dead FROM pg_stat_user_tables WHERE schemaname = $1 AND relname = 'job_common'`,
        [schema],
      );
      return Number(rows[0].dead) === 0;
    }, 100);
    const names = ['h', 'h/keyed', 'nobody'];
    const looking = await blocksOf(async () => {
      expect(await store.due(names)).toEqual(['h']);
      expect(await store.due(['h/keyed', 'nobody'])).toEqual([]);
      expect(await store.findDead({ queues: names })).toEqual([]);
      expect(await store.blockedKeys(names)).toEqual([]);
      expect(await store.retry({ queues: names, tenant: 'a' })).toEqual([]);
      expect(await store.discard({ queues: names })).toEqual([]);
    });
    expect(looking).toBeLessThan(200);
    const counting = await blocksOf(async () => {
      expect(await store.counts(names.slice(1))).toMatchObject([{ waiting: 0 }, { waiting: 0 }]);
    });
    expect(counting).toBeLessThan(200);
  }, 60_000);
});
