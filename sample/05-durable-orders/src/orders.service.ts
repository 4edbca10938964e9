import { Injectable, UnprocessableEntityException } from '@nestjs/common';
import { Emissions } from 'nestjs-emissions';
import { DurableDeliveries } from 'nestjs-emissions/durable';
import { Database, SCHEMA } from './database.js';
import { OrderPlaced } from './order.emissions.js';

interface Row {
  readonly id: number;
  readonly item: string;
  readonly emission: string;
  readonly invoice: number | null;
  /** With which attempt its e-mail was sent. */
  readonly email: number | null;
}

@Injectable()
export class OrdersService {
  constructor(
    private readonly database: Database,
    private readonly emissions: Emissions,
    private readonly deliveries: DurableDeliveries,
  ) {}

  /** Writes the order, and what is owed for it: both, or neither. */
  place(item: string, quantity: number): Promise<{ id: number }> {
    return this.emissions.transaction(this.database.source, async (transaction) => {
      const { rows } = await transaction.query(
        `INSERT INTO ${SCHEMA}.orders (item, quantity) VALUES ($1, $2) RETURNING id`,
        [item, quantity],
      );
      const { id } = rows[0] as { id: number };
      const emission = this.emissions.emit(new OrderPlaced(id, item))!;
      await transaction.query(`UPDATE ${SCHEMA}.orders SET emission = $2 WHERE id = $1`, [
        id,
        emission.id,
      ]);
      if (quantity > 10) throw new UnprocessableEntityException('We do not have as many.');
      return { id };
    });
  }

  /** What was done for an order, and where its first emission stands. */
  async find(id: number) {
    const [row] = await this.database.query<Row>(
      `SELECT o.id, o.item, o.emission, i.number AS invoice, e.attempts AS email FROM ${SCHEMA}.orders o
       LEFT JOIN ${SCHEMA}.invoices i ON i."order" = o.id LEFT JOIN ${SCHEMA}.emails e ON e."order" = o.id WHERE o.id = $1`,
      [id],
    );
    if (row === undefined) return undefined;
    const { emission, ...order } = row;
    const deliveries = await this.deliveries.status(emission);
    const stands = deliveries.map(({ handler, state, attempts }) => ({ handler, state, attempts }));
    return { ...order, deliveries: stands };
  }
}
