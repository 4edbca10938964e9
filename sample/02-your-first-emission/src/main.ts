import { NestFactory } from '@nestjs/core';
// #region readme
import { Body, Controller, Injectable, Module, Post, UseInterceptors } from '@nestjs/common';
import { Emissions, EmissionsInterceptor, EmissionsModule, OnEmission } from 'nestjs-emissions';

@Controller('orders')
@UseInterceptors(EmissionsInterceptor)
export class OrdersController {
  constructor(private readonly emissions: Emissions) {}
  @Post()
  place(@Body() order: { id: string; quantity: number }) {
    this.emissions.emit('order.created', order); // kept until the request has succeeded
    if (order.quantity > 10) throw new Error('Out of stock'); // and if it fails: it never happened
  }
}

@Injectable()
export class Receipts {
  @OnEmission('order.created')
  send(order: { id: string }) {
    console.log(`A receipt for order ${order.id}`);
  }
}

@Module({
  imports: [EmissionsModule.forRoot()],
  controllers: [OrdersController],
  providers: [Receipts],
})
export class AppModule {}
// #endregion

/** Starts the application, sends it an order that succeeds and one that fails, prints what came of each, and closes it. */
export async function run(): Promise<void> {
  const app = await NestFactory.create(AppModule, { logger: false, abortOnError: false });
  await app.listen(0, '127.0.0.1');
  const url = `${await app.getUrl()}/orders`;
  const emissions = app.get(Emissions);
  const delivered: string[] = [];
  emissions.stream('**').subscribe(({ name }) => delivered.push(name));

  for (const order of [
    { id: '1', quantity: 2 },
    { id: '2', quantity: 20 },
  ]) {
    const body = JSON.stringify(order);
    console.log(`\nPOST /orders ${body}`);
    const headers = { 'content-type': 'application/json' };
    const { status } = await fetch(url, { method: 'POST', headers, body });
    await emissions.settled();
    console.log(`Answered ${status}, delivered ${delivered.splice(0).join(', ') || 'nothing'}`);
  }
  await app.close();
}

// A test imports it, and calls run() itself.
if (process.argv[1] === import.meta.filename) await run();
