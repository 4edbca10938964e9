// #region docs
import { Controller, Injectable, Module, Post } from '@nestjs/common';
import { EventEmitter2, EventEmitterModule, OnEvent } from '@nestjs/event-emitter';

@Controller('orders')
class OrdersController {
  constructor(private readonly events: EventEmitter2) {}

  @Post()
  place() {
    this.events.emit('order.placed', { id: '1' }); // listeners are called now, whatever comes of the request
  }
}

@Injectable()
class Receipts {
  @OnEvent('order.*')
  send(order: { id: string }) {
    console.log(order.id);
  }
}

@Module({
  imports: [EventEmitterModule.forRoot({ wildcard: true })],
  controllers: [OrdersController],
  providers: [Receipts],
})
export class AppModule {}
// #endregion
