import { Module } from '@nestjs/common';
import { EmissionsModule } from 'nestjs-emissions';
import { EmissionsDurableModule } from 'nestjs-emissions/durable';
import { Database, DatabaseModule, SCHEMA } from './database.js';
import { Emails } from './emails.js';
import { Invoices } from './invoices.js';
import { OrdersController } from './orders.controller.js';
import { OrdersService } from './orders.service.js';

@Module({
  imports: [
    DatabaseModule,
    EmissionsModule.forRoot(),
    EmissionsDurableModule.forRootAsync({
      imports: [DatabaseModule],
      inject: [Database],
      useFactory: ({ durable }: Database) => ({ ...durable, schema: SCHEMA, heartbeatMs: 2_000 }),
    }),
  ],
  controllers: [OrdersController],
  providers: [OrdersService, Invoices, Emails],
})
export class AppModule {}
