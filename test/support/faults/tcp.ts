import type { AddressInfo, Server, Socket } from 'node:net';
import { Controller, Module, type INestMicroservice } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, Payload, Transport, type TcpOptions } from '@nestjs/microservices';
import { fromCloudEvent } from 'nestjs-emissions';
import { MicroservicesAdapter } from 'nestjs-emissions/microservices';
import {
  ANSWER_MS,
  type FaultyDestination,
  type FaultyServer,
  type Numbered,
} from './destination.js';

/** What has arrived at whichever of these servers. */
const arrived: Numbered[] = [];

@Controller()
class Listener {
  @EventPattern('happened')
  take(@Payload() event: unknown): void {
    arrived.push(fromCloudEvent(event).payload as Numbered);
  }
}

@Module({ controllers: [Listener] })
class ListenerModule {}

/** A microservice of Nest that listens to its own protocol. */
export const TCP: FaultyServer = {
  name: 'a microservice over TCP',
  start: async () => {
    const sockets = new Set<Socket>();
    let app: INestMicroservice;
    const listen = async (port: number): Promise<void> => {
      app = await NestFactory.createMicroservice<TcpOptions>(ListenerModule, {
        ...{ transport: Transport.TCP, options: { host: '127.0.0.1', port } },
        logger: false,
      });
      await app.listen();
      app.unwrap<Server>().on('connection', (socket) => {
        sockets.add(socket);
        socket.once('close', () => sockets.delete(socket));
      });
    };
    const kill = (): void => {
      app.unwrap<Server>().close();
      for (const socket of sockets) socket.destroy();
    };
    await listen(0);
    const { port } = app!.unwrap<Server>().address() as AddressInfo;
    return {
      ...{ port, kill, start: () => listen(port) },
      [Symbol.asyncDispose]: async () => {
        kill();
        await app.close();
      },
    };
  },
  destinations: [tcp],
};

async function tcp(): Promise<FaultyDestination> {
  const before = arrived.length;
  return {
    name: 'microservices over TCP',
    promise: { keeps: 'nothing', repeats: 'anything' },
    adapter: (through) =>
      new MicroservicesAdapter({
        transport: { transport: Transport.TCP, options: { host: '127.0.0.1', port: through } },
        destination: 'happened',
        requires: 'fire-and-forget',
        timeoutMs: ANSWER_MS,
      }),
    arrivals: async () => arrived.slice(before),
    [Symbol.asyncDispose]: async () => {},
  };
}
