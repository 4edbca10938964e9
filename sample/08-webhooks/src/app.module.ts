import { Module } from '@nestjs/common';
import { EmissionsModule, type Emission } from 'nestjs-emissions';
import { EmissionsDurableModule } from 'nestjs-emissions/durable';
import { WebhookAdapter } from 'nestjs-emissions/webhook';
import { EndpointsController } from './endpoints.controller.js';
import { Endpoints, EndpointsModule } from './endpoints.js';
import { FanOutHandler } from './fan-out.handler.js';
import { OrdersController } from './orders.controller.js';

const database = process.env['DATABASE_URL'];

@Module({
  imports: [
    EndpointsModule,
    EmissionsModule.forRoot({
      tenancy: { key: 'org' },
      adapters: [
        {
          inject: [Endpoints],
          useFactory: (endpoints: Endpoints) =>
            new WebhookAdapter({
              events: 'webhook.owed',
              // Looked up for each attempt: a secret may have changed, and an endpoint be gone.
              endpoints: ({ metadata }) => [endpoints.find(metadata['endpoint']) ?? []].flat(),
              format: ({ payload }: Emission) => ({
                body: JSON.stringify(payload),
                contentType: 'application/cloudevents+json',
              }),
              timeoutMs: 5_000,
              // For receivers on this machine; yours are public, and use https.
              ...{ allow: ['127.0.0.0/8'], allowHttp: true },
            }),
          consumer: {
            ...{ durable: true, batchSize: 1, concurrency: 20 },
            retry: { attempts: 8, backoffMs: 250, factor: 3, maxBackoffMs: 3_600_000 },
          },
        },
      ],
    }),
    EmissionsDurableModule.forRoot(
      database === undefined
        ? { embedded: 'memory://' }
        : { connectionString: database, schema: 'sample_08' },
    ),
  ],
  controllers: [EndpointsController, OrdersController],
  providers: [FanOutHandler],
})
export class AppModule {}
