import { Module } from '@nestjs/common';
import { ConfirmationHandler } from './confirmation.handler.js';
import { InvoiceHandler } from './invoice.handler.js';
import { OrdersController } from './orders.controller.js';
import { OrdersService } from './orders.service.js';
import { Pace } from './pace.js';
import { PointsHandler } from './points.handler.js';
import { StockHandler } from './stock.handler.js';

/** Handlers are providers like any other; none of them knows who listens to what it emits. */
@Module({
  controllers: [OrdersController],
  providers: [
    OrdersService,
    Pace,
    StockHandler,
    ConfirmationHandler,
    PointsHandler,
    InvoiceHandler,
  ],
})
export class OrdersModule {}
