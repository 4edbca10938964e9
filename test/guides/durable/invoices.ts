// #region docs
import { PGlite } from '@electric-sql/pglite';
import { Injectable, Module } from '@nestjs/common';
import {
  Emissions,
  EmissionsModule,
  EmissionType,
  OnEmission,
  type Emission,
  type HandlerContext,
} from 'nestjs-emissions';
import { EmissionsDurableModule, fromPglite } from 'nestjs-emissions/durable';

@EmissionType('order.placed', { key: (order: OrderPlaced) => order.customer })
export class OrderPlaced {
  constructor(
    readonly id: string,
    readonly customer: string,
    readonly at: Date,
  ) {}
}

@Injectable()
export class Orders {
  constructor(
    private readonly emissions: Emissions,
    private readonly database: PGlite,
  ) {}

  /** The order and what is owed for it: both are stored, or neither is. */
  place(order: OrderPlaced) {
    return this.emissions.transaction(fromPglite(this.database), async (tx) => {
      await tx.query('INSERT INTO orders (id, customer) VALUES ($1, $2)', [
        order.id,
        order.customer,
      ]);
      this.emissions.emit(order);
    });
  }
}

@Injectable()
export class Invoices {
  constructor(private readonly database: PGlite) {}

  @OnEmission(OrderPlaced, { durable: true, maxAttempts: 10 })
  async write({ id, at }: OrderPlaced, _emission: Emission, context: HandlerContext) {
    // The delivery is completed in the transaction that writes the invoice: there will be one, however often it is tried.
    await context.transaction(fromPglite(this.database), async (tx) => {
      await tx.query('INSERT INTO invoices (order_id, year) VALUES ($1, $2)', [
        id,
        at.getFullYear(),
      ]);
    });
  }
}

@Module({
  providers: [
    {
      provide: PGlite,
      useFactory: async () => {
        const database = await PGlite.create(); // in memory; PGlite.create('./data') keeps it
        await database.exec('CREATE TABLE orders (id text PRIMARY KEY, customer text)');
        await database.exec('CREATE TABLE invoices (order_id text, year int)');
        return database;
      },
    },
  ],
  exports: [PGlite],
})
export class DatabaseModule {}

@Module({
  imports: [
    EmissionsModule.forRoot(),
    DatabaseModule,
    EmissionsDurableModule.forRootAsync({
      imports: [DatabaseModule],
      inject: [PGlite],
      useFactory: (database: PGlite) => ({ embedded: database }),
    }),
  ],
  providers: [Orders, Invoices],
})
export class AppModule {}
// #endregion
