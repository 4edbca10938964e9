import { deepStrictEqual, strictEqual } from 'node:assert';
import {
  BadRequestException,
  Body,
  Controller,
  Injectable,
  Post,
  type INestApplication,
} from '@nestjs/common';
import { Emissions, OnEmission } from 'nestjs-emissions';

/** What a request sends. */
export interface Order {
  id: string;
  quantity: number;
}

/** Emits, and fails afterwards if there are too many of it. */
@Controller('orders')
export class OrdersController {
  constructor(private readonly emissions: Emissions) {}

  @Post()
  place(@Body() order: Order): Order {
    this.emissions.emit('order.created', order);
    if (order.quantity > 10) throw new BadRequestException('Out of stock');
    return order;
  }
}

/** Remembers for which orders it was called. */
@Injectable()
export class Receipts {
  readonly sent: string[] = [];

  @OnEmission('order.*')
  send(order: Order): void {
    this.sent.push(order.id);
  }
}

/** Sends a request that succeeds and one that fails to an application that listens, and looks at what its handler got. */
export async function placeOrders(app: INestApplication): Promise<void> {
  const url = `${await app.getUrl()}/orders`;
  const post = (order: Order) =>
    fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(order),
    });
  strictEqual((await post({ id: '1', quantity: 2 })).status, 201);
  strictEqual((await post({ id: '2', quantity: 20 })).status, 400);
  strictEqual((await post({ id: '3', quantity: 1 })).status, 201);
  await app.get(Emissions).settled();
  deepStrictEqual(app.get(Receipts).sent, ['1', '3']);
}
