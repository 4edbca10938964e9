import { Module, type MiddlewareConsumer, type NestModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { EmissionsMiddleware, EmissionsModule } from 'nestjs-emissions';
import { OrdersController, placeOrders, Receipts } from './orders.js';

@Module({
  imports: [EmissionsModule.forRoot()],
  controllers: [OrdersController],
  providers: [Receipts],
})
class AppModule implements NestModule {
  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(EmissionsMiddleware).forRoutes('{*path}');
  }
}

const app = await NestFactory.create(AppModule, new FastifyAdapter(), {
  logger: ['error', 'warn'],
});
await app.listen(0, '127.0.0.1');
await placeOrders(app);
await app.close();
console.log('works');
