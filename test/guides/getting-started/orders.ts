// #region docs
import { BadRequestException, Body, Controller, Injectable, Module, Post } from '@nestjs/common';
import { Emissions, EmissionsModule, OnEmission } from 'nestjs-emissions';

export interface Order {
  id: string;
  quantity: number;
}

@Controller('orders')
export class OrdersController {
  constructor(private readonly emissions: Emissions) {}

  @Post()
  place(@Body() order: Order) {
    this.emissions.emit('order.placed', order); // kept until the request has succeeded
    if (order.quantity > 10) throw new BadRequestException('Out of stock'); // it never happened
    return order;
  }
}

@Injectable()
export class Receipts {
  readonly sent: string[] = [];

  @OnEmission('order.placed')
  send(order: Order) {
    this.sent.push(order.id);
  }
}

@Module({
  imports: [EmissionsModule.forRoot({ interceptor: 'global' })],
  controllers: [OrdersController],
  providers: [Receipts],
})
export class AppModule {}
// #endregion
