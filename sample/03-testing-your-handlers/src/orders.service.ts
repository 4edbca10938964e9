import { Injectable } from '@nestjs/common';
import { Emissions } from 'nestjs-emissions';
import type { Order } from './order.emissions.js';

@Injectable()
export class OrdersService {
  constructor(private readonly emissions: Emissions) {}

  place(order: Order): void {
    this.emissions.emit('order.placed', order, undefined, { key: order.id });
  }
}
