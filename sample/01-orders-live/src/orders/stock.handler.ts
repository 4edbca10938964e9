import { Injectable } from '@nestjs/common';
import { Emissions, OnEmission, type Emission, type HandlerContext } from 'nestjs-emissions';
import type { Order } from './order.js';
import { OrdersService } from './orders.service.js';
import { Pace } from './pace.js';

const FULL_SHELF = 50;

/** Takes from the shelf what was ordered, and refills it when it does not hold enough. */
@Injectable()
export class StockHandler {
  readonly #shelves = new Map<string, number>();

  constructor(
    private readonly emissions: Emissions,
    private readonly orders: OrdersService,
    private readonly pace: Pace,
  ) {}

  /** What it emits belongs to the tenant of what it handles, and is delivered when it returns. */
  @OnEmission('order.created')
  async reserve(order: Order, { tenant }: Emission, { signal }: HandlerContext): Promise<void> {
    await this.pace.wait(signal);
    const { id: orderId, article, quantity } = order;
    const shelf = `${tenant}: ${article}`;
    let left = (this.#shelves.get(shelf) ?? FULL_SHELF) - quantity;
    if (left < 0) {
      left += FULL_SHELF;
      this.emissions.emit('stock.refilled', { article, quantity: FULL_SHELF });
    }
    this.#shelves.set(shelf, left);
    this.orders.advance(tenant, orderId, 'reserved');
    this.emissions.emit('stock.reserved', { orderId, article, left }, undefined, { key: orderId });
  }
}
