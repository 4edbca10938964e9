import { PGlite } from '@electric-sql/pglite';
import { MikroORM } from '@mikro-orm/postgresql';
import { EntitySchema } from '@mikro-orm/core';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { PrismaPg } from '@prisma/adapter-pg';
import { sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import knexOf from 'knex';
import { Kysely, PostgresDialect, sql as kyselySql } from 'kysely';
import {
  ConfigurationError,
  Emissions,
  EmissionsModule,
  OnEmission,
  type ExecutorSource,
  type HandlerContext,
} from 'nestjs-emissions';
import {
  EmissionsDurableModule,
  fromDrizzle,
  fromKnex,
  fromKysely,
  fromMikroOrm,
  fromPg,
  fromPglite,
  fromPrisma,
  fromTypeOrm,
} from 'nestjs-emissions/durable';
import pg from 'pg';
import { DataSource } from 'typeorm';
import { RecordingAdapter } from '../support/adapters.js';
import { start, type RunningApp } from '../support/app.js';
import { DATABASE_URL, postgres, type TestDatabase } from '../support/databases.js';
import { PrismaClient } from '../support/prisma/generated/client.js';
import { listen } from '../support/signals.js';
import { rounds, until } from '../support/until.js';

@Injectable()
class Handlers {
  readonly taken: unknown[] = [];
  works: (payload: unknown, context: HandlerContext) => unknown = () => undefined;

  @OnEmission('placed', { durable: true, id: 'takes' })
  take(payload: unknown): void {
    this.taken.push(payload);
  }

  @OnEmission('work', { durable: true, id: 'works', retry: { backoffMs: 1 } })
  work(payload: unknown, _: unknown, context: HandlerContext): unknown {
    return this.works(payload, context);
  }
}

/** A data layer: how its transactions are opened, and how a row is written in one. */
interface Layer {
  readonly source: ExecutorSource<any>;
  insert(transaction: any, id: number): unknown;
  close(): Promise<unknown>;
}

const row = (table: string, id: number): string => `INSERT INTO ${table} VALUES (${id})`;

const layers: Record<string, (table: string) => Promise<Layer>> = {
  pg: async (table) => {
    const pool = new pg.Pool({ connectionString: DATABASE_URL });
    return {
      source: fromPg(pool),
      insert: (client: pg.PoolClient, id) => client.query(row(table, id)),
      close: () => pool.end(),
    };
  },
  TypeORM: async (table) => {
    const dataSource = await new DataSource({ type: 'postgres', url: DATABASE_URL! }).initialize();
    return {
      source: fromTypeOrm(dataSource),
      insert: (manager, id) => manager.query(row(table, id)),
      close: () => dataSource.destroy(),
    };
  },
  Kysely: async (table) => {
    const pool = new pg.Pool({ connectionString: DATABASE_URL });
    const database = new Kysely<object>({ dialect: new PostgresDialect({ pool }) });
    return {
      source: fromKysely(database),
      insert: (trx, id) => kyselySql.raw(row(table, id)).execute(trx),
      close: () => database.destroy(),
    };
  },
  Knex: async (table) => {
    const knex = knexOf({ client: 'pg', connection: DATABASE_URL! });
    return {
      source: fromKnex(knex),
      insert: (trx, id) => trx.raw(row(table, id)),
      close: () => knex.destroy(),
    };
  },
  Drizzle: async (table) => {
    const pool = new pg.Pool({ connectionString: DATABASE_URL });
    return {
      source: fromDrizzle(drizzle(pool), sql),
      insert: (tx, id) => tx.execute(sql.raw(row(table, id))),
      close: () => pool.end(),
    };
  },
  MikroORM: async (table) => {
    const [schema, tableName] = table.split('.') as [string, string];
    const Row = new EntitySchema<{ id: number }>({
      name: 'Row',
      ...{ schema, tableName },
      properties: { id: { type: 'number', primary: true } },
    });
    const orm = await MikroORM.init({
      clientUrl: DATABASE_URL!,
      dbName: 'postgres',
      entities: [Row],
      allowGlobalContext: true,
    });
    return {
      source: fromMikroOrm(orm.em),
      // Written when the work is done, as MikroORM does.
      insert: (em, id) => em.persist(em.create(Row, { id })).flush(),
      close: () => orm.close(),
    };
  },
  Prisma: async (table) => {
    const [schema] = table.split('.') as [string];
    const adapter = new PrismaPg({ connectionString: DATABASE_URL! }, { schema });
    const prisma = new PrismaClient({ adapter });
    return {
      source: fromPrisma(prisma, { timeout: 30_000 }),
      insert: (tx: Parameters<Parameters<typeof prisma.$transaction>[0]>[0], id) =>
        tx.row.create({ data: { id } }),
      close: () => prisma.$disconnect(),
    };
  },
};

const onPostgres = DATABASE_URL === undefined ? describe.skip : describe;

onPostgres.each(Object.entries(layers))('A transaction of %s', (_, connect) => {
  let database: TestDatabase;
  let running: RunningApp;
  let emissions: Emissions;
  let handlers: Handlers;
  let layer: Layer;
  const sink = new RecordingAdapter();

  beforeAll(async () => {
    database = await postgres();
    running = await start({
      imports: [
        EmissionsModule.forRoot({ adapters: [{ name: 'sink', useValue: sink }] }),
        EmissionsDurableModule.forRoot(database.options),
      ],
      providers: [Handlers],
    });
    handlers = running.app.get(Handlers);
    ({ emissions } = running);
    await database.query(`CREATE TABLE ${database.schema}.rows (id int PRIMARY KEY)`);
    layer = await connect(`${database.schema}.rows`);
  }, 60_000);

  afterAll(async () => {
    await layer.close();
    await running.close();
    await database[Symbol.asyncDispose]();
  });

  const rows = async (): Promise<number[]> =>
    (
      await database.query<{ id: number }>(`SELECT id FROM ${database.schema}.rows ORDER BY id`)
    ).map(({ id }) => id);
  const stored = async (n: number): Promise<number> =>
    (
      await database.query(
        `SELECT 1 FROM ${database.schema}.job WHERE data->'emission'->>'payload' = $1`,
        [String(n)],
      )
    ).length;
  const sunk = (n: number): number => sink.emissions.filter(({ payload }) => payload === n).length;
  const place = async (transaction: unknown, n: number): Promise<void> => {
    await layer.insert(transaction, n);
    emissions.emit('placed', n);
  };

  it('holds what is written and what is emitted; the rest is delivered when it has committed', async () => {
    const result = await emissions.transaction(layer.source, async (transaction) => {
      await place(transaction, 1);
      await emissions.settled();
      expect([sunk(1), await stored(1)]).toEqual([0, 0]);
      return 'done';
    });
    expect(result).toBe('done');
    expect([await rows(), await stored(1)]).toEqual([[1], 1]);
    await emissions.settled();
    expect(sunk(1)).toBe(1);
    await until(() => handlers.taken.includes(1));
  });

  it('leaves nothing when it is rolled back', async () => {
    const work = emissions.transaction(layer.source, async (transaction) => {
      await place(transaction, 2);
      await emissions.flush();
      throw new Error('no');
    });
    await expect(work).rejects.toThrow('no');
    await emissions.settled();
    expect([(await rows()).includes(2), await stored(2), sunk(2)]).toEqual([false, 0, 0]);
  });

  it('fails when the database rolls it back since a statement in it has failed', async () => {
    const work = emissions.transaction(layer.source, async (transaction) => {
      await place(transaction, 20);
      await emissions.flush();
      const executor = await layer.source.executorOf(transaction);
      await executor.executeSql('SELECT 1 / 0').catch(() => {});
    });
    await expect(work).rejects.toBeInstanceOf(Error);
    await emissions.settled();
    expect([(await rows()).includes(20), await stored(20), sunk(20)]).toEqual([false, 0, 0]);
  });

  it('stores nothing when it is over, whatever is still on its way', async () => {
    const held = Promise.withResolvers<void>();
    const critical = emissions.subscribe('placed', () => held.promise, { critical: true });
    let flushed: Promise<unknown> | undefined;
    const work = emissions.transaction(layer.source, async (transaction) => {
      await place(transaction, 21);
      flushed = emissions.flush().catch((error: unknown) => error);
      throw new Error('no');
    });
    await expect(work).rejects.toThrow('no');
    held.resolve();
    const error = await flushed;
    critical.unsubscribe();
    await emissions.settled();
    expect(error).toMatchObject({ cause: { code: 'EMISSIONS_TRANSACTION_OVER' } });
    expect([(await rows()).includes(21), await stored(21), sunk(21)]).toEqual([false, 0, 0]);
  });

  it('stays delivered when the request around it fails', async () => {
    const request = emissions.run(async () => {
      emissions.emit('placed', 30);
      await emissions.transaction(layer.source, (transaction) => place(transaction, 3));
      throw new Error('later');
    });
    await expect(request).rejects.toThrow('later');
    await emissions.settled();
    expect([sunk(3), await stored(3), sunk(30), await stored(30)]).toEqual([1, 1, 0, 0]);
  });

  it('takes back what failed within it, and no more', async () => {
    await emissions.transaction(layer.source, async (transaction) => {
      await place(transaction, 4);
      const inner = emissions.transaction(layer.source, async (within) => {
        await place(within, 5);
        await emissions.flush().catch(() => {});
        throw new Error('inner');
      });
      await expect(inner).rejects.toThrow('inner');
      await emissions.transaction(layer.source, (within) => place(within, 6));
    });
    await emissions.settled();
    expect((await rows()).filter((id) => id >= 4)).toEqual([4, 6]);
    expect([await stored(4), await stored(5), await stored(6)]).toEqual([1, 0, 1]);
    expect([sunk(4), sunk(5), sunk(6)]).toEqual([1, 0, 1]);
  });

  it('has those within it run one behind another, though they are begun at once', async () => {
    await emissions.transaction(layer.source, async () => {
      const [kept, failed] = await Promise.allSettled([
        emissions.transaction(layer.source, async (within) => {
          await place(within, 10);
          await rounds();
        }),
        emissions.transaction(layer.source, async (within) => {
          await place(within, 11);
          throw new Error('the other');
        }),
      ]);
      expect([kept!.status, failed!.status]).toEqual(['fulfilled', 'rejected']);
    });
    await emissions.settled();
    expect((await rows()).filter((id) => [10, 11].includes(id))).toEqual([10]);
    expect([await stored(10), await stored(11)]).toEqual([1, 0]);
    expect([sunk(10), sunk(11)]).toEqual([1, 0]);
  });

  it('is over for what would begin within it later', async () => {
    let late: Promise<unknown> | undefined;
    const first = Promise.withResolvers<void>();
    await emissions
      .transaction(layer.source, async () => {
        void emissions.transaction(layer.source, () => first.promise).catch(() => {});
        late = emissions.transaction(layer.source, (within) => place(within, 12));
        late.catch(() => {});
        throw new Error('outer');
      })
      .catch(() => {});
    first.resolve();
    await expect(late).rejects.toMatchObject({ code: 'EMISSIONS_TRANSACTION_OVER' });
    expect(await stored(12)).toBe(0);
  });

  it('of a handler completes its delivery: it is not called again when it fails afterwards', async () => {
    using log = listen('emissions:delivery:completed');
    let calls = 0;
    handlers.works = async (_payload, context) => {
      calls++;
      await context.transaction(layer.source, (transaction) => place(transaction, 7));
      throw new Error('after the commit');
    };
    await emissions.run(() => void emissions.emit('work', 70));
    await until(() => log.all.some(({ message }) => message.consumer === 'works'));
    await until(() => handlers.taken.includes(7));
    expect([calls, (await rows()).includes(7), await stored(7)]).toEqual([1, true, 1]);
  });

  it('of a handler whose delivery was taken over is rolled back', async () => {
    using log = listen('emissions:delivery:completed');
    let calls = 0;
    const failures: unknown[] = [];
    handlers.works = async (_payload, context) => {
      calls++;
      const done = context.transaction(layer.source, async (transaction) => {
        await layer.insert(transaction, 80 + calls);
        if (calls > 1) return;
        await database.query(
          `UPDATE ${database.schema}.job SET retry_count = retry_count + 1, started_on = now() WHERE name = 'works' AND state = 'active'`,
        );
      });
      await done.catch(async (error: unknown) => {
        failures.push(error);
        await database.query(
          `UPDATE ${database.schema}.job SET state = 'retry', start_after = now() WHERE name = 'works' AND state = 'active'`,
        );
        throw error;
      });
    };
    await emissions.run(() => void emissions.emit('work', 80));
    await until(() => log.all.some(({ message }) => message.consumer === 'works'));
    expect(failures).toMatchObject([{ code: 'EMISSIONS_DELIVERY_LOST' }]);
    expect((await rows()).filter((id) => id > 80)).toEqual([82]);
  });
});

describe('A transaction of PGlite', () => {
  it('holds what is written and what is emitted', async () => {
    const database = await PGlite.create();
    const running = await start({
      imports: [
        EmissionsModule.forRoot(),
        EmissionsDurableModule.forRoot({ embedded: database, pollMs: 50 }),
      ],
      providers: [Handlers],
    });
    const { emissions, app } = running;
    await database.exec('CREATE TABLE rows (id int)');
    const place = (n: number, fails: boolean) =>
      emissions.transaction(fromPglite(database), async (tx) => {
        await tx.query('INSERT INTO rows VALUES ($1)', [n]);
        emissions.emit('placed', n);
        if (fails) throw new Error('no');
      });
    await expect(place(1, true)).rejects.toThrow('no');
    await place(2, false);
    const { taken } = app.get(Handlers);
    await until(() => taken.length > 0);
    expect([taken, (await database.query('SELECT id FROM rows')).rows]).toEqual([[2], [{ id: 2 }]]);
    await running.close();
    await database.close();
  }, 30_000);

  it('of a handler completes its delivery, though that is the first one of its queue', async () => {
    using log = listen('emissions:delivery:completed');
    const database = await PGlite.create();
    const running = await start({
      imports: [
        EmissionsModule.forRoot(),
        EmissionsDurableModule.forRoot({ embedded: database, pollMs: 50 }),
      ],
      providers: [Handlers],
    });
    const { emissions, app } = running;
    await database.exec('CREATE TABLE rows (id int)');
    app.get(Handlers).works = (n, context) =>
      context.transaction(fromPglite(database), (tx) =>
        tx.query('INSERT INTO rows VALUES ($1)', [n]),
      );
    await emissions.run(() => void emissions.emit('work', 1, {}, { key: 'k' }));
    await until(() => log.all.length === 1);
    expect((await database.query('SELECT id FROM rows')).rows).toEqual([{ id: 1 }]);
    await running.close();
    await database.close();
  }, 30_000);

  it.each([
    ['another object', {}, () => {}],
    ['work that is no function', { begin: () => {} }, 'x'],
    ['nothing', undefined, undefined],
  ])('rejects %s, with the line to write', async (_, source, work) => {
    const running = await start({ imports: [EmissionsModule.forRoot()] });
    const { emissions } = running;
    const begun = emissions.transaction(source as never, work as never);
    await expect(begun).rejects.toThrow(ConfigurationError);
    await expect(begun).rejects.toThrow(
      /transaction takes what opens transactions and the work, such as transaction\(fromPg\(pool\)/,
    );
    await running.close();
  });
});
