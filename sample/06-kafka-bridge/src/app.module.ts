import { Module, type DynamicModule } from '@nestjs/common';
import { EmissionsModule } from 'nestjs-emissions';
import { KafkaAdapter } from 'nestjs-emissions/kafka';
import { OrdersController } from './orders.controller.js';

@Module({})
export class AppModule {
  static at(brokers: string, topic: string): DynamicModule {
    return {
      module: AppModule,
      imports: [
        EmissionsModule.forRoot({
          adapters: [
            {
              useFactory: () =>
                new KafkaAdapter({
                  brokers,
                  destination: topic,
                  connection: { clientId: 'orders', autocreateTopics: true },
                }),
              consumer: { batchSize: 500, retry: { attempts: 10 } },
            },
          ],
        }),
      ],
      controllers: [OrdersController],
    };
  }
}
