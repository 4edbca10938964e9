import { NestFactory } from '@nestjs/core';
import type { Emission } from 'nestjs-emissions';
import { AppModule } from './app.module.js';
import { Arrivals } from './arrivals.js';
import { startKafka } from './kafka.js';
import type { Order } from './orders.controller.js';

const TOPIC = 'sample-orders';

const ORDERS: readonly Order[] = [
  { id: '1', customer: 'ada', quantity: 2 },
  { id: '2', customer: 'ada', quantity: 20 },
  { id: '3', customer: 'ada', quantity: 1 },
];

/** Starts the application and a reader of its topic, sends it orders, prints what is read, and closes both. */
export async function run(): Promise<void> {
  const kafka = await startKafka();
  const app = await NestFactory.create(AppModule.at(kafka.brokers, TOPIC), {
    logger: false,
    abortOnError: false,
  });
  await app.listen(0, '127.0.0.1');
  const arrivals = new Arrivals(kafka.brokers);
  const both = Promise.withResolvers<void>();
  let count = 0;
  await arrivals.follow(TOPIC, ({ name, payload, tenant, key }: Emission) => {
    console.log(`Read ${name} ${JSON.stringify(payload)} of ${tenant}, key ${key}`);
    if (++count === 2) both.resolve();
  });

  for (const order of ORDERS) {
    const body = JSON.stringify(order);
    const headers = { 'content-type': 'application/json' };
    // oxlint-disable-next-line no-await-in-loop -- one behind another
    const { status } = await fetch(`${await app.getUrl()}/orders`, {
      ...{ method: 'POST', headers, body },
    });
    console.log(`POST /orders ${body}: ${status}`);
  }
  await both.promise;

  await arrivals.close();
  await app.close();
  await kafka.stop();
}

// A test imports it, and calls run() itself.
if (process.argv[1] === import.meta.filename) await run();
