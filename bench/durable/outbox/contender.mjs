// Prints one figure of @fullstackhouse/nestjs-outbox with MikroORM and its notifications: `rate <count>` or `latency`.
import 'reflect-metadata';
import { setTimeout as pause } from 'node:timers/promises';
import { OutboxModule, TransactionalEventEmitter } from '@fullstackhouse/nestjs-outbox';
import {
  MikroORMDatabaseDriverFactory,
  MikroOrmOutboxTransportEvent,
  OutboxMigrations,
} from '@fullstackhouse/nestjs-outbox-mikro-orm-driver';
import { Migrator } from '@mikro-orm/migrations';
import { MikroORM } from '@mikro-orm/postgresql';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import pg from 'pg';
import { batches, Checked, latency, rate } from '../scenario.mjs';

const [what, count] = process.argv.slice(2);
const AT_ONCE = 250;

const orm = await MikroORM.init({
  clientUrl: process.env.DATABASE_URL,
  entities: [MikroOrmOutboxTransportEvent],
  extensions: [Migrator],
  migrations: { migrationsList: OutboxMigrations.map((type) => ({ name: type.name, class: type })), snapshot: false },
  pool: { min: 2, max: 20 },
});
await orm.getMigrator().up();

async function start(handle) {
  class Root {}
  Module({
    imports: [
      OutboxModule.registerAsync({
        isGlobal: true,
        useFactory: () => ({
          driverFactory: new MikroORMDatabaseDriverFactory(orm),
          events: [{ name: 'work', listeners: { retentionPeriod: 3_600_000, maxExecutionTime: 60_000 } }],
          pollingInterval: 1_000,
          maxEventsPerPoll: AT_ONCE,
          enableDefaultMiddlewares: false,
        }),
      }),
    ],
  })(Root);
  const app = await NestFactory.createApplicationContext(Root, { logger: false, abortOnError: false });
  const emitter = app.get(TransactionalEventEmitter);
  emitter.addListener('work', { getName: () => 'take', handle });
  return { app, emitter };
}

/** As its emitter writes them, many at a time: the quickest there is. */
async function store(all) {
  const em = orm.em.fork();
  const now = Date.now();
  for (const order of all) {
    em.persist(new MikroOrmOutboxTransportEvent().create('work', { name: 'work', order }, now + 3_600_000, now));
  }
  await em.flush();
}

/** How many are not marked as delivered; in this combination of versions the rows themselves stay. */
async function left() {
  const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
  await client.connect();
  try {
    const { rows } = await client.query(
      `SELECT count(*)::int AS count FROM outbox_transport_event WHERE delivered_to_listeners::text = '[]'`,
    );
    return rows[0].count;
  } finally {
    await client.end();
  }
}

async function measured() {
  if (what === 'latency') {
    return latency(async (hear) => {
      const { app, emitter } = await start(({ order }) => hear(order));
      return { send: (order) => emitter.emit({ name: 'work', order }), close: () => app.close() };
    });
  }
  const total = Number(count);
  for (const batch of batches(total)) await store(batch);
  const checked = new Checked(total);
  return rate(total, async () => {
    const { app } = await start(({ order }) => checked.take(order.n));
    await checked.all;
    while ((await left()) > 0) await pause(20);
    await app.close();
  });
}

console.log(await measured());
process.exit(0);
