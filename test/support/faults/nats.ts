import { randomUUID } from 'node:crypto';
import { jetstreamManager } from '@nats-io/jetstream';
import { Transport } from '@nestjs/microservices';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { fromCloudEvent } from 'nestjs-emissions';
import { MicroservicesAdapter } from 'nestjs-emissions/microservices';
import { NatsAdapter } from 'nestjs-emissions/nats';
import { emissionOf } from '../brokers.js';
import { missing, ownServer } from '../own-server.js';
import {
  ANSWER_MS,
  type FaultyDestination,
  type FaultyServer,
  type Numbered,
} from './destination.js';

/** NATS, with its streams and without. */
export const NATS: FaultyServer = {
  name: 'NATS',
  missing: missing('nats'),
  start: () => ownServer('nats'),
  destinations: [jetStream, core],
};

/** What the adapter of this library delivers to. */
export async function jetStream(
  port: number,
  id: string = randomUUID(),
): Promise<FaultyDestination> {
  const name = `faults_${id}`;
  const asked = async <T>(work: (connection: NatsConnection) => Promise<T>): Promise<T> => {
    const connection = await connect({ servers: `127.0.0.1:${port}` });
    try {
      return await work(connection);
    } finally {
      await connection.close();
    }
  };
  await asked(async (connection) => {
    const { streams } = await jetstreamManager(connection);
    await streams.add({ name, subjects: [name] });
  });
  return {
    name: 'nats',
    promise: { keeps: 'everything', repeats: 'nothing' },
    adapter: (through) =>
      new NatsAdapter({
        url: `nats://127.0.0.1:${through}`,
        destination: name,
        timeoutMs: ANSWER_MS,
        connection: { reconnectTimeWait: 20 },
      }),
    arrivals: () =>
      asked(async (connection) => {
        const { streams } = await jetstreamManager(connection);
        const { state } = await streams.info(name);
        const all = Array.from({ length: state.messages }, (_, i) => state.first_seq + i);
        const messages = await Promise.all(all.map((seq) => streams.getMessage(name, { seq })));
        return messages.map((message) => {
          const keys = [...message!.header.keys()];
          const headers = Object.fromEntries(keys.map((key) => [key, message!.header.get(key)]));
          return emissionOf({ headers, body: message!.data }).payload as Numbered;
        });
      }),
    [Symbol.asyncDispose]: () =>
      asked(async (connection) => {
        const { streams } = await jetstreamManager(connection);
        await streams.delete(name);
      }),
  };
}

async function core(port: number, id: string = randomUUID()): Promise<FaultyDestination> {
  const subject = `core_${id}`;
  const arrived: Numbered[] = [];
  const connection = await connect({
    ...{ servers: `127.0.0.1:${port}`, maxReconnectAttempts: -1, reconnectTimeWait: 20 },
  });
  connection.subscribe(subject, {
    callback: (_, message) => {
      const { data } = message.json<{ data: unknown }>();
      arrived.push(fromCloudEvent(data).payload as Numbered);
    },
  });
  await connection.flush();
  return {
    name: 'microservices over NATS',
    promise: { keeps: 'nothing', repeats: 'anything' },
    adapter: (through) =>
      new MicroservicesAdapter({
        transport: {
          transport: Transport.NATS,
          options: {
            ...{ servers: [`nats://127.0.0.1:${through}`], maxReconnectAttempts: -1 },
            ...{ reconnectTimeWait: 20, pingInterval: 200 },
          },
        },
        destination: subject,
        requires: 'fire-and-forget',
        timeoutMs: ANSWER_MS,
      }),
    arrivals: async () => arrived,
    [Symbol.asyncDispose]: () => connection.close(),
  };
}
