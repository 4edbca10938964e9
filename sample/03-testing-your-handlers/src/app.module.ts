import { Module } from '@nestjs/common';
import { EmissionsModule } from 'nestjs-emissions';
import { ConfirmationHandler } from './confirmation.handler.js';
import { Mailer } from './mailer.js';
import { OrdersController } from './orders.controller.js';
import { OrdersService } from './orders.service.js';
import { PointsHandler } from './points.handler.js';
import { WarehouseAdapter } from './warehouse.adapter.js';

@Module({
  imports: [EmissionsModule.forRoot({ adapters: [WarehouseAdapter] })],
  controllers: [OrdersController],
  providers: [OrdersService, Mailer, ConfirmationHandler, PointsHandler],
})
export class AppModule {}
