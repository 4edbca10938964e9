import {
  Body,
  Controller,
  Get,
  NotFoundException,
  Param,
  ParseIntPipe,
  Post,
} from '@nestjs/common';
import { DurableDeliveries } from 'nestjs-emissions/durable';
import { OrdersService } from './orders.service.js';

@Controller()
export class OrdersController {
  constructor(
    private readonly orders: OrdersService,
    private readonly deliveries: DurableDeliveries,
  ) {}

  @Post('orders')
  place(@Body() { item = 'tea', quantity = 1 }: { item?: string; quantity?: number | string }) {
    return this.orders.place(String(item), Number(quantity));
  }

  @Get('orders/:id')
  async find(@Param('id', ParseIntPipe) id: number) {
    const order = await this.orders.find(id);
    if (order === undefined) throw new NotFoundException(`There is no order ${id}.`);
    return order;
  }

  /** How much each handler has to do, and what was given up. */
  @Get('deliveries')
  async status() {
    const handlers = await this.deliveries.stats();
    const dead = await this.deliveries.failed();
    const failed = dead.map(({ id, handler, key, errors }) => ({
      ...{ id, handler, order: key },
      error: errors.at(-1)?.message,
    }));
    return { handlers, failed };
  }
}
