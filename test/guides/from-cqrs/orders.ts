// #region docs
import { Injectable, Module, type OnModuleInit } from '@nestjs/common';
import {
  AggregateRoot,
  Command,
  CommandBus,
  CommandHandler,
  CqrsModule,
  EventBus,
  EventPublisher,
  type ICommandHandler,
  type IEvent,
  type IEventPublisher,
} from '@nestjs/cqrs';
import { Emissions, EmissionsModule, EmissionType, OnEmission } from 'nestjs-emissions';

@EmissionType('order.placed')
export class OrderPlaced {
  constructor(readonly id: string) {}
}

export class PlaceOrder extends Command<void> {
  constructor(readonly id: string) {
    super();
  }
}

export class SendReceipt extends Command<void> {
  constructor(readonly id: string) {
    super();
  }
}

class Order extends AggregateRoot {
  place(id: string) {
    this.apply(new OrderPlaced(id));
  }
}

@CommandHandler(PlaceOrder)
export class PlaceOrderHandler implements ICommandHandler<PlaceOrder> {
  constructor(private readonly publisher: EventPublisher) {}

  async execute({ id }: PlaceOrder) {
    const order = this.publisher.mergeObjectContext(new Order());
    order.place(id);
    order.commit(); // into the buffer of the request, or of the run around it
  }
}

@CommandHandler(SendReceipt)
export class SendReceiptHandler implements ICommandHandler<SendReceipt> {
  readonly sent: string[] = [];

  async execute({ id }: SendReceipt) {
    this.sent.push(id);
  }
}

/** Events become emissions. @EventsHandler classes and sagas hear no more of them. */
@Injectable()
export class EmissionsPublisher implements IEventPublisher, OnModuleInit {
  constructor(
    private readonly events: EventBus,
    private readonly emissions: Emissions,
  ) {}

  onModuleInit() {
    this.events.publisher = this;
  }

  publish<E extends IEvent>(event: E) {
    this.emissions.emit(event);
  }
}

/** What was an @EventsHandler, or a saga. */
@Injectable()
export class Reactions {
  constructor(private readonly commands: CommandBus) {}

  @OnEmission(OrderPlaced, { retry: { attempts: 3 } })
  receipt({ id }: OrderPlaced) {
    return this.commands.execute(new SendReceipt(id));
  }
}

@Module({
  imports: [CqrsModule.forRoot(), EmissionsModule.forRoot({ interceptor: 'global' })],
  providers: [PlaceOrderHandler, SendReceiptHandler, EmissionsPublisher, Reactions],
})
export class AppModule {}
// #endregion
