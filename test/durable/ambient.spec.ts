import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Body,
  Controller,
  Inject,
  Injectable,
  Module,
  Post,
  type DynamicModule,
} from '@nestjs/common';
import type {
  ClsPluginTransactional as Plugin,
  TransactionHost as Host,
} from '@nestjs-cls/transactional';
import { sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import {
  Emissions,
  EmissionsModule,
  OnEmission,
  type Emission,
  type TransactionSource,
} from 'nestjs-emissions';
import {
  EmissionsDurableModule,
  fromDrizzle,
  fromTypeOrm,
  withEmissions,
} from 'nestjs-emissions/durable';
import pg from 'pg';
import { DataSource, type EntityManager } from 'typeorm';
import { RecordingAdapter } from '../support/adapters.js';
import { serve, type RunningApp } from '../support/app.js';
import { DATABASE_URL, postgres, type TestDatabase } from '../support/databases.js';
import { until } from '../support/until.js';

// They are no modules of ECMAScript, and jest lets those require Nest only when it is loaded.
const {
  ClsPluginTransactional,
  InjectTransactionHost,
  Propagation,
  Transactional,
  TransactionHost,
} = await import('@nestjs-cls/transactional');
const { TransactionalAdapterDrizzleOrm } =
  await import('@nestjs-cls/transactional-adapter-drizzle-orm');
const { TransactionalAdapterTypeOrm } = await import('@nestjs-cls/transactional-adapter-typeorm');
const { ClsModule } = await import('nestjs-cls');

const CONNECTION = Symbol('connection');

/** A data layer: the plugin as its users write it, and how a row is written in one of its transactions. */
interface Layer {
  readonly plugin: (connectionName?: string) => Plugin;
  readonly source: TransactionSource<any>;
  insert(transaction: any, id: number): Promise<unknown>;
  close(): Promise<unknown>;
}

function connectionModule(connection: object): DynamicModule {
  @Module({})
  class ConnectionModule {}
  const provider = { provide: CONNECTION, useValue: connection };
  return { module: ConnectionModule, providers: [provider], exports: [provider] };
}

const layers: [string, (schema: string) => Promise<Layer>][] = [
  [
    'TypeORM',
    async (schema) => {
      const dataSource = await new DataSource({
        type: 'postgres',
        url: DATABASE_URL!,
      }).initialize();
      return {
        plugin: (connectionName) =>
          new ClsPluginTransactional(
            withEmissions(
              {
                ...(connectionName !== undefined && { connectionName }),
                imports: [connectionModule(dataSource)],
                adapter: new TransactionalAdapterTypeOrm({ dataSourceToken: CONNECTION }),
              },
              fromTypeOrm,
            ),
          ),
        source: fromTypeOrm(dataSource),
        insert: (manager: EntityManager, id) =>
          manager.query(`INSERT INTO ${schema}.rows VALUES ($1)`, [id]),
        close: () => dataSource.destroy(),
      };
    },
  ],
  [
    'Drizzle',
    async (schema) => {
      const pool = new pg.Pool({ connectionString: DATABASE_URL });
      const database = drizzle(pool);
      return {
        plugin: (connectionName) =>
          new ClsPluginTransactional(
            withEmissions(
              {
                ...(connectionName !== undefined && { connectionName }),
                imports: [connectionModule(database)],
                adapter: new TransactionalAdapterDrizzleOrm({ drizzleInstanceToken: CONNECTION }),
              },
              (db: typeof database) => fromDrizzle(db, sql),
            ),
          ),
        source: fromDrizzle(database, sql),
        insert: (tx: typeof database, id) =>
          tx.execute(sql.raw(`INSERT INTO ${schema}.rows VALUES (${id})`)),
        close: () => pool.end(),
      };
    },
  ],
];

const onPostgres = DATABASE_URL === undefined ? describe.skip : describe;

onPostgres.each(layers)('A @Transactional method on %s', (_, connect) => {
  let database: TestDatabase;
  let layer: Layer;
  let running: RunningApp;
  let emissions: Emissions;
  let orders: OrdersBase;
  let handlers: HandlersBase;
  const sink = new RecordingAdapter();

  interface HandlersBase {
    readonly taken: Emission[];
    critical: (n: number) => void;
  }
  interface OrdersBase {
    place(n: number, then?: () => unknown): Promise<unknown>;
    placeAlone(n: number, then?: () => unknown): Promise<unknown>;
    placeNested(n: number, then?: () => unknown): Promise<unknown>;
    placeElsewhere(n: number, then: () => unknown): Promise<unknown>;
    outside(work: () => unknown): Promise<unknown>;
    outsideElsewhere(work: () => unknown): Promise<unknown>;
  }

  beforeAll(async () => {
    database = await postgres();
    await database.query(`CREATE SCHEMA ${database.schema}`);
    await database.query(
      `CREATE TABLE ${database.schema}.rows (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED)`,
    );
    layer = await connect(database.schema);

    @Injectable()
    class Orders implements OrdersBase {
      constructor(
        @Inject(TransactionHost) private readonly host: Host<any>,
        @InjectTransactionHost('other') private readonly other: Host<any>,
        private readonly emissions: Emissions,
      ) {}

      @Transactional()
      place(n: number, then?: () => unknown): Promise<unknown> {
        return this.#place(n, then);
      }

      @Transactional(Propagation.RequiresNew)
      placeAlone(n: number, then?: () => unknown): Promise<unknown> {
        return this.#place(n, then);
      }

      @Transactional(Propagation.Nested)
      placeNested(n: number, then?: () => unknown): Promise<unknown> {
        return this.#place(n, then);
      }

      @Transactional('other')
      async placeElsewhere(n: number, then: () => unknown): Promise<unknown> {
        await layer.insert(this.other.tx, n);
        this.emissions.emit('placed', n);
        return then();
      }

      @Transactional('other', Propagation.NotSupported)
      async outsideElsewhere(work: () => unknown): Promise<unknown> {
        return work();
      }

      @Transactional(Propagation.NotSupported)
      async outside(work: () => unknown): Promise<unknown> {
        return work();
      }

      async #place(n: number, then?: () => unknown): Promise<unknown> {
        await layer.insert(this.host.tx, n);
        this.emissions.emit('placed', n);
        return then?.();
      }
    }

    @Injectable()
    class Handlers implements HandlersBase {
      readonly taken: Emission[] = [];
      critical: (n: number) => void = () => {};

      constructor(private readonly orders: Orders) {}

      @OnEmission('placed', { durable: true, id: 'takes' })
      async take(n: number, emission: Emission): Promise<void> {
        this.taken.push(emission);
        if (n >= 9_000 && n < 9_100) await this.orders.place(n + 100);
      }

      @OnEmission('placed', { critical: true })
      check(n: number): void {
        this.critical(n);
      }
    }

    @Controller('orders')
    class OrdersController {
      constructor(
        private readonly orders: Orders,
        private readonly emissions: Emissions,
      ) {}

      @Post()
      async order(@Body() { n, fails }: { n: number; fails?: string }): Promise<void> {
        this.emissions.emit('requested', n);
        await this.orders.place(n, () => {
          if (fails === 'service') throw new Error('in the transaction');
        });
        if (fails === 'controller') throw new Error('after the transaction');
      }
    }

    running = await serve({
      imports: [
        EmissionsModule.forRoot({
          adapters: [{ name: 'sink', useValue: sink }],
          interceptor: 'global',
          context: () => ({ tenant: 'org-1', metadata: { by: 'ann' } }),
        }),
        EmissionsDurableModule.forRoot(database.options),
        ClsModule.forRoot({
          global: true,
          middleware: { mount: true },
          plugins: [layer.plugin(), layer.plugin('other')],
        }),
      ],
      controllers: [OrdersController],
      providers: [Orders, Handlers],
    });
    orders = running.app.get(Orders);
    handlers = running.app.get(Handlers);
    ({ emissions } = running);
  }, 60_000);

  beforeEach(() => {
    handlers.critical = () => {};
  });

  afterAll(async () => {
    await running.close();
    await layer.close();
    await database[Symbol.asyncDispose]();
  });

  const hasRow = async (n: number): Promise<boolean> =>
    (await database.query(`SELECT 1 FROM ${database.schema}.rows WHERE id = $1`, [n])).length === 1;
  const stored = async (n: number): Promise<number> =>
    (
      await database.query(
        `SELECT 1 FROM ${database.schema}.job WHERE data->'emission'->>'payload' = $1`,
        [String(n)],
      )
    ).length;
  const sunk = (n: number, name = 'placed'): number =>
    sink.emissions.filter((each) => each.name === name && each.payload === n).length;
  /** The row, the delivery, and what the rest got. */
  const found = async (n: number): Promise<[boolean, number, number]> => {
    await emissions.settled();
    return [await hasRow(n), await stored(n), sunk(n)];
  };
  const ALL = [true, 1, 1];
  const NOTHING = [false, 0, 0];

  it('holds what it writes and what it emits; the rest is delivered when it has committed', async () => {
    await orders.place(1, async () => {
      expect(await found(1)).toEqual(NOTHING);
    });
    expect(await found(1)).toEqual(ALL);
    await until(() => handlers.taken.some(({ payload }) => payload === 1));
  });

  it('stores what was emitted in the same transaction', async () => {
    const later = { delayMs: 3_600_000 };
    await orders.place(2, () => void emissions.emit('placed', 2_000, {}, later));
    const written = (table: string, where: string) =>
      database.query(`SELECT xmin::text FROM ${database.schema}.${table} WHERE ${where}`);
    const rows = await written('rows', 'id = 2');
    expect(rows).toHaveLength(1);
    expect(await written('job', `data->'emission'->>'payload' = '2000'`)).toEqual(rows);
  });

  it('is rolled back when what was emitted cannot be stored', async () => {
    const move = (from: string, to: string) =>
      database.query(`ALTER TABLE ${database.schema}.${from} RENAME TO ${to}`);
    await move('queue', 'elsewhere');
    try {
      await expect(orders.place(6)).rejects.toMatchObject({ code: 'EMISSIONS_NOT_STORED' });
    } finally {
      await move('elsewhere', 'queue');
    }
    expect(await found(6)).toEqual(NOTHING);
  });

  it('leaves nothing when it throws', async () => {
    const failing = orders.place(3, async () => {
      await emissions.flush();
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(await found(3)).toEqual(NOTHING);
  });

  it('leaves nothing when its commit fails', async () => {
    await database.query(`INSERT INTO ${database.schema}.rows VALUES (4)`);
    await expect(orders.place(4)).rejects.toThrow(/duplicate key|Failed query: commit/);
    expect(await found(4)).toEqual([true, 0, 0]);
  });

  it('is rolled back by a critical handler that throws', async () => {
    handlers.critical = (n) => {
      if (n === 5) throw new Error('not five');
    };
    await expect(orders.place(5)).rejects.toThrow('not five');
    expect(await found(5)).toEqual(NOTHING);
  });

  it('is one with others that it calls', async () => {
    const failing = orders.place(10, async () => {
      await orders.place(11);
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect([await found(10), await found(11)]).toEqual([NOTHING, NOTHING]);
    await orders.place(12, () => orders.place(13));
    expect([await found(12), await found(13)]).toEqual([ALL, ALL]);
    const order = sink.emissions.map(({ payload }) => payload);
    expect(order.indexOf(12)).toBeLessThan(order.indexOf(13));
  });

  it('is on its own with RequiresNew, whatever becomes of the one around it', async () => {
    const failing = orders.place(20, async () => {
      await orders.placeAlone(21);
      expect(await found(21)).toEqual(ALL);
      await expect(
        orders.placeAlone(22, () => {
          throw new Error('inner');
        }),
      ).rejects.toThrow('inner');
      throw new Error('outer');
    });
    await expect(failing).rejects.toThrow('outer');
    expect([await found(20), await found(21), await found(22)]).toEqual([NOTHING, ALL, NOTHING]);
  });

  it('takes back its own with Nested, and no more', async () => {
    await orders.place(30, async () => {
      const failing = orders.placeNested(31, async () => {
        await emissions.flush();
        throw new Error('inner');
      });
      await expect(failing).rejects.toThrow('inner');
      await orders.placeNested(32);
    });
    expect([await found(30), await found(31), await found(32)]).toEqual([ALL, NOTHING, ALL]);
    await orders.placeNested(33);
    expect(await found(33)).toEqual(ALL);
  });

  it('is left with NotSupported: what is emitted there belongs to what is around it', async () => {
    await emissions.run(async () => {
      const failing = orders.place(40, async () => {
        await orders.outside(async () => {
          emissions.emit('placed', 41);
          await emissions.run(() => void emissions.emit('placed', 42));
          await orders.place(43);
        });
        emissions.emit('placed', 44);
        throw new Error('no');
      });
      await expect(failing).rejects.toThrow('no');
      await emissions.settled();
      expect([41, 42, 43].map((n) => sunk(n))).toEqual([0, 0, 1]);
    });
    expect([await found(40), await found(41), await found(42)]).toEqual([
      NOTHING,
      [false, 1, 1],
      [false, 1, 1],
    ]);
    expect([await found(43), await found(44)]).toEqual([ALL, NOTHING]);
  });

  it('is left for a transaction of its own with NotSupported, too', async () => {
    const failing = orders.place(45, async () => {
      await orders.outside(() =>
        emissions.transaction(layer.source, async (transaction) => {
          await layer.insert(transaction, 46);
          emissions.emit('placed', 46);
        }),
      );
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect([await found(45), await found(46)]).toEqual([NOTHING, ALL]);
  });

  it('has its own within one of another connection, which is there again when it is left', async () => {
    const failing = orders.place(47, async () => {
      await orders.placeElsewhere(48, async () => {
        await orders.outsideElsewhere(() => emissions.emit('placed', 49));
      });
      expect(await found(48)).toEqual(ALL);
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect([await found(47), await found(48), await found(49)]).toEqual([NOTHING, ALL, NOTHING]);
  });

  it('has a savepoint where emissions.transaction is called within it', async () => {
    await orders.place(50, async () => {
      const failing = emissions.transaction(layer.source, async (transaction) => {
        await layer.insert(transaction, 51);
        emissions.emit('placed', 51);
        throw new Error('inner');
      });
      await expect(failing).rejects.toThrow('inner');
      await emissions.transaction(layer.source, async (transaction) => {
        await layer.insert(transaction, 52);
        emissions.emit('placed', 52);
      });
      expect(await hasRow(52)).toBe(false);
    });
    expect([await found(50), await found(51), await found(52)]).toEqual([ALL, NOTHING, ALL]);
  });

  it('emits nothing any more when it is over, whoever comes back to it late', async () => {
    const late = Promise.withResolvers<void>();
    let emitted: unknown = 'not yet';
    let over: Promise<void> | undefined;
    await emissions.run(async () => {
      const failing = orders.place(60, () => {
        over = late.promise.then(() => {
          emitted = emissions.emit('placed', 61);
        });
        throw new Error('no');
      });
      await expect(failing).rejects.toThrow('no');
      late.resolve();
      await over;
    });
    expect(emitted).toBeUndefined();
    expect(await found(61)).toEqual(NOTHING);
  });

  it('stamps what the request says, and is delivered though the request fails afterwards', async () => {
    const order = (n: number, fails?: string) =>
      running.request('POST', '/orders', { n, ...(fails && { fails }) });
    expect((await order(70)).status).toBe(201);
    expect([await found(70), sunk(70, 'requested')]).toEqual([ALL, 1]);
    const [requested, placed] = sink.emissions
      .filter(({ payload }) => payload === 70)
      .toSorted((a, b) => (a.name > b.name ? -1 : 1));
    expect(placed).toMatchObject({
      ...{ tenant: 'org-1', metadata: { by: 'ann' }, correlationId: requested!.correlationId },
    });
    expect((await order(71, 'service')).status).toBe(500);
    expect([await found(71), sunk(71, 'requested')]).toEqual([NOTHING, 0]);
    expect((await order(72, 'controller')).status).toBe(500);
    expect([await found(72), sunk(72, 'requested')]).toEqual([ALL, 0]);
  });

  it('keeps requests that work side by side apart', async () => {
    const all = Array.from({ length: 20 }, (_, i) => 100 + i);
    const answers = await Promise.all(
      all.map((n) => running.request('POST', '/orders', { n, ...(n % 2 && { fails: 'service' }) })),
    );
    expect(answers.map(({ status }) => status)).toEqual(all.map((n) => (n % 2 ? 500 : 201)));
    const outcomes = await Promise.all(all.map(found));
    expect(outcomes).toEqual(all.map((n) => (n % 2 ? NOTHING : ALL)));
  });

  it('names its cause in a durable handler', async () => {
    await orders.place(9_000);
    await until(() => handlers.taken.some(({ payload }) => payload === 9_100));
    const cause = handlers.taken.find(({ payload }) => payload === 9_000)!;
    expect(handlers.taken.find(({ payload }) => payload === 9_100)).toMatchObject({
      causationId: cause.id,
      depth: 1,
    });
    expect(await found(9_100)).toEqual(ALL);
  });
});

describe('An adapter of @nestjs-cls/transactional that holds emissions', () => {
  it('keeps whatever else it has', () => {
    class Adapter extends TransactionalAdapterTypeOrm {
      #started = 0;

      onModuleInit(): number {
        return ++this.#started;
      }
    }
    const own = new Adapter({ dataSourceToken: CONNECTION, defaultTxOptions: {} });
    const imports = [class {}];
    const plugin = withEmissions({ adapter: own, imports, connectionName: 'a' }, fromTypeOrm);
    expect(plugin).toMatchObject({ imports, connectionName: 'a' });
    expect(plugin.adapter).toMatchObject({ connectionToken: CONNECTION, defaultTxOptions: {} });
    expect([plugin.adapter.onModuleInit(), own.onModuleInit()]).toEqual([1, 2]);
    expect(plugin.adapter.constructor.name).toBe('Adapter');
    expect(own).not.toHaveProperty('extraProviderTokens');
  });
});
