import { deepStrictEqual, strictEqual } from 'node:assert';
import { Injectable, Module, UseInterceptors } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { Emissions, EmissionsInterceptor, EmissionsModule, OnEmission } from 'nestjs-emissions';
import { connect } from 'nestjs-emissions/client';
import { DurableDeliveries, EmissionsDurableModule } from 'nestjs-emissions/durable';
import { EmissionsGatewayModule } from 'nestjs-emissions/gateway';
import { recordEmissions } from 'nestjs-emissions/testing';
import { io } from 'socket.io-client';
import { OrdersController, placeOrders, Receipts, type Order } from './orders.js';

UseInterceptors(EmissionsInterceptor)(OrdersController);

@Injectable()
class Invoices {
  readonly written: string[] = [];

  @OnEmission('order.created', { durable: true })
  async write(order: Order): Promise<void> {
    this.written.push(order.id);
  }
}

@Module({
  imports: [
    EmissionsModule.forRoot(),
    EmissionsGatewayModule.forRoot({ anonymous: true }),
    EmissionsDurableModule.forRoot({ embedded: 'memory://' }),
  ],
  controllers: [OrdersController],
  providers: [Receipts, Invoices],
})
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
await app.listen(0, '127.0.0.1');

const socket = io(await app.getUrl(), { transports: ['websocket'] });
const live = connect(socket);
const shown: string[] = [];
const channel = live.channel('event/order.created');
const two = new Promise<void>((resolve) => {
  channel.on(({ payload }) => {
    shown.push((payload as Order).id);
    if (shown.length === 2) resolve();
  });
});
await channel.ready;

await placeOrders(app);
await two;
deepStrictEqual(shown, ['1', '3']);
deepStrictEqual(app.get(Invoices).written, ['1', '3']);
const [stats] = await app.get(DurableDeliveries).stats();
strictEqual(stats?.dead, 0);
socket.close();
await app.close();

const builder = Test.createTestingModule({
  imports: [EmissionsModule.forRoot()],
  controllers: [OrdersController],
});
const recorder = recordEmissions(builder, { mode: 'strict' });
const tested = (await builder.compile()).createNestApplication();
await tested.init();
const emissions = tested.get(Emissions);
await emissions.run(() => emissions.emit('order.created', { id: '4' }));
recorder.expectEmitted('order.created', { payload: { id: '4' } });
recorder.verify();
await tested.close();
console.log('works');
