import { Body, Controller, Headers, Post, UseInterceptors } from '@nestjs/common';
import { Emissions, EmissionsInterceptor } from 'nestjs-emissions';
import type { Order } from './emissions.js';

@Controller('orders')
@UseInterceptors(EmissionsInterceptor)
export class OrdersController {
  constructor(private readonly emissions: Emissions) {}

  @Post()
  place(@Headers('x-org') org: string, @Body() { id, total }: Order): Order {
    const order = { id: String(id), total: Number(total) };
    this.emissions.emit('order.created', order, { org });
    return order;
  }
}
