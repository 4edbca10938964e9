import { Injectable } from '@nestjs/common';
import {
  Emissions,
  OnEmission,
  type Emission,
  type HandlerContext,
  type PayloadOf,
} from 'nestjs-emissions';
import { OrdersService } from './orders.service.js';
import { Pace } from './pace.js';

/** Confirms an order once its goods are set aside. */
@Injectable()
export class ConfirmationHandler {
  constructor(
    private readonly emissions: Emissions,
    private readonly orders: OrdersService,
    private readonly pace: Pace,
  ) {}

  @OnEmission('stock.reserved')
  async confirm(
    { orderId }: PayloadOf<'stock.reserved'>,
    { tenant }: Emission,
    { signal }: HandlerContext,
  ): Promise<void> {
    await this.pace.wait(signal);
    const { customer, total } = this.orders.advance(tenant, orderId, 'confirmed');
    this.emissions.emit('order.confirmed', { orderId, customer, total }, undefined, {
      key: orderId,
    });
  }
}
