// #region docs
import { Controller, Injectable, Module, Post } from '@nestjs/common';
import { Emissions, EmissionsModule, OnEmission } from 'nestjs-emissions';

@Controller('orders')
class OrdersController {
  constructor(private readonly emissions: Emissions) {}

  @Post()
  place() {
    this.emissions.emit('order.placed', { id: '1' }); // kept until the request has succeeded
  }
}

@Injectable()
class Receipts {
  @OnEmission('order.*')
  send(order: { id: string }) {
    console.log(order.id);
  }
}

@Module({
  imports: [EmissionsModule.forRoot({ interceptor: 'global', unbuffered: 'deliver' })],
  controllers: [OrdersController],
  providers: [Receipts],
})
export class AppModule {}
// #endregion
