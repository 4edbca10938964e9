import { Module } from '@nestjs/common';
import { defineTopics, EmissionsModule } from 'nestjs-emissions';
import { EmissionsGatewayModule, jwtAuthentication } from 'nestjs-emissions/gateway';
import { RedisChannelHistory } from 'nestjs-emissions/redis';
import { OrdersController, type Order } from './orders.controller.js';
import { Redis, RedisModule } from './redis.js';
import { demands, key } from './tokens.js';

@Module({
  imports: [
    EmissionsModule.forRoot({
      tenancy: { key: 'org' },
      topics: defineTopics({ orders: ['order.created'] }),
    }),
    EmissionsGatewayModule.forRootAsync({
      imports: [RedisModule],
      inject: [Redis],
      useFactory: ({ client }: Redis) => ({
        authenticate: jwtAuthentication({
          key,
          verify: demands,
          identity: ({ sub, org }) => ({ tenant: String(org), subject: String(sub) }),
        }),
        authorize: ({ subject }, channel) =>
          channel !== '*' || subject === 'admin' || 'only the admin follows everything.',
        channels: ({ payload }) => [`entity/order/${(payload as Order).id}`],
        history: new RedisChannelHistory({ client, prefix: 'sample-04:' }),
      }),
    }),
  ],
  controllers: [OrdersController],
})
export class AppModule {}
