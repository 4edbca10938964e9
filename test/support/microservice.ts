import type { AddressInfo, Server } from 'node:net';
import type { ModuleMetadata } from '@nestjs/common';
import { ClientProxyFactory, Transport, type MicroserviceOptions } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { Emissions, EmissionsModule } from 'nestjs-emissions';
import { lastValueFrom } from 'rxjs';
import { RecordingAdapter } from './adapters.js';

/** What `forRoot` takes. */
export type ModuleOptions = NonNullable<Parameters<typeof EmissionsModule.forRoot>[0]>;

/** A microservice that listens to TCP on loopback, and a client of it. */
export async function microservice(metadata: ModuleMetadata, options: ModuleOptions = {}) {
  const sink = new RecordingAdapter();
  const adapters = [{ name: 'sink', useValue: sink }];
  const module = await Test.createTestingModule({
    ...metadata,
    imports: [...(metadata.imports ?? []), EmissionsModule.forRoot({ ...options, adapters })],
  }).compile();
  const host = '127.0.0.1';
  const app = module.createNestMicroservice<MicroserviceOptions>({
    transport: Transport.TCP,
    options: { host, port: 0 },
    logger: false,
  });
  await app.listen();
  const { port } = app.unwrap<Server>().address() as AddressInfo;
  const client = ClientProxyFactory.create({ transport: Transport.TCP, options: { host, port } });
  await client.connect();
  const emissions = app.get(Emissions);
  return {
    client,
    emissions,
    /** Sends a message and resolves with the last value of its answer. */
    ask: (pattern: string, data: unknown = {}): Promise<unknown> =>
      lastValueFrom(client.send<unknown>(pattern, data), { defaultValue: undefined }),
    /** Name and payload of what was delivered once everything has settled. */
    delivered: async () => {
      await emissions.settled();
      return sink.emissions.map(({ name, payload }) => [name, payload]);
    },
    sink,
    [Symbol.asyncDispose]: async () => {
      await client.close();
      await app.close();
    },
  };
}
