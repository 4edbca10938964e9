import { Body, Controller, Post, UseInterceptors } from '@nestjs/common';
import { Emissions, EmissionsInterceptor } from 'nestjs-emissions';

export interface Order {
  id: string;
  customer: string;
  quantity: number;
}

@Controller('orders')
@UseInterceptors(EmissionsInterceptor)
export class OrdersController {
  constructor(private readonly emissions: Emissions) {}

  @Post()
  place(@Body() order: Order) {
    const { customer } = order;
    // One customer's are written to one partition, and read in their order.
    this.emissions.emit('order.created', order, undefined, { tenant: 'shop-1', key: customer });
    if (order.quantity > 10) throw new Error('Out of stock');
  }
}
