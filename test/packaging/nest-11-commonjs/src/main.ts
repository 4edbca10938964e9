import { deepStrictEqual } from 'node:assert';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EmissionsModule } from 'nestjs-emissions';
import { EmissionsGatewayModule } from 'nestjs-emissions/gateway';
import { io } from 'socket.io-client';
import { OrdersController, placeOrders, Receipts, type Order } from './orders.js';

@Module({
  imports: [
    EmissionsModule.forRoot({ interceptor: 'global' }),
    EmissionsGatewayModule.forRoot({ anonymous: true }),
  ],
  controllers: [OrdersController],
  providers: [Receipts],
})
class AppModule {}

async function main(): Promise<void> {
  const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
  await app.listen(0, '127.0.0.1');

  const socket = io(await app.getUrl(), { transports: ['websocket'] });
  const shown: string[] = [];
  const two = new Promise<void>((resolve) => {
    socket.on('emissions', (batch: { payload: Order }[]) => {
      shown.push(...batch.map(({ payload }) => payload.id));
      if (shown.length === 2) resolve();
    });
  });
  await socket.emitWithAck('subscribe', { channel: '*' });

  await placeOrders(app);
  await two;
  deepStrictEqual(shown, ['1', '3']);
  socket.close();
  await app.close();
  console.log('works');
}

void main();
