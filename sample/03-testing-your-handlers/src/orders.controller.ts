import { BadRequestException, Body, Controller, Post, UseInterceptors } from '@nestjs/common';
import { EmissionsInterceptor } from 'nestjs-emissions';
import type { Order } from './order.emissions.js';
import { OrdersService } from './orders.service.js';

@Controller('orders')
@UseInterceptors(EmissionsInterceptor)
export class OrdersController {
  constructor(private readonly orders: OrdersService) {}

  @Post()
  place(@Body() order: Order): Order {
    this.orders.place(order);
    if (order.total < 0) throw new BadRequestException('An order costs something.');
    return order;
  }
}
