import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Emissions, OnEmission, type Emission, type HandlerContext } from 'nestjs-emissions';
import { NonRetryableError } from 'nestjs-emissions/durable';
import { Database, SCHEMA } from './database.js';
import { OrderInvoiced, OrderPlaced } from './order.emissions.js';
import { PACE_MS } from './pace.js';

@Injectable()
export class Invoices {
  constructor(
    private readonly database: Database,
    private readonly emissions: Emissions,
  ) {}

  @OnEmission(OrderPlaced, { durable: true, concurrency: 2 })
  async write({ order, item }: OrderPlaced, _: Emission, context: HandlerContext): Promise<void> {
    if (item === 'unicorn') throw new NonRetryableError('There is no price for a unicorn.');
    await pause(PACE_MS);
    // The invoice, what follows from it and the completion of this delivery: all, or none and once more.
    await context.transaction(this.database.source, async (transaction) => {
      const { rows } = await transaction.query(
        `INSERT INTO ${SCHEMA}.invoices ("order") VALUES ($1) RETURNING number`,
        [order],
      );
      const { number } = rows[0] as { number: number };
      this.emissions.emit(new OrderInvoiced(order, number));
    });
    console.log(`  order ${order}: an invoice`);
  }
}
