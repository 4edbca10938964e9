import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { OnEmission, type Emission, type HandlerContext } from 'nestjs-emissions';
import { Database, SCHEMA } from './database.js';
import { OrderInvoiced } from './order.emissions.js';
import { PACE_MS } from './pace.js';

@Injectable()
export class Emails {
  constructor(private readonly database: Database) {}

  @OnEmission(OrderInvoiced, { durable: true, concurrency: 2, retry: { backoffMs: 500 } })
  async send({ order }: OrderInvoiced, _: Emission, context: HandlerContext): Promise<void> {
    await pause(PACE_MS);
    if (context.attempt === 1) throw new Error('The mail server is busy.');
    // A mail server that is given `context.deliveryId` knows what it has had; this table knows it by the order.
    await this.database.query(
      `INSERT INTO ${SCHEMA}.emails VALUES ($1, $2) ON CONFLICT DO NOTHING`,
      [order, context.attempt],
    );
    console.log(`  order ${order}: an e-mail, with attempt ${context.attempt}`);
  }
}
