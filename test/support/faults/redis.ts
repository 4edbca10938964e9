import { randomUUID } from 'node:crypto';
import { Transport } from '@nestjs/microservices';
import { fromCloudEvent } from 'nestjs-emissions';
import { MicroservicesAdapter } from 'nestjs-emissions/microservices';
import { RedisStreamsAdapter } from 'nestjs-emissions/redis';
import { createClient } from 'redis';
import { emissionOf } from '../brokers.js';
import { missing, ownServer } from '../own-server.js';
import {
  ANSWER_MS,
  type FaultyDestination,
  type FaultyServer,
  type Numbered,
} from './destination.js';

/** Redis, as a log and as a messenger. */
export const REDIS: FaultyServer = {
  name: 'Redis',
  missing: missing('redis'),
  start: () => ownServer('redis'),
  destinations: [streams, published],
};

/** What the adapter of this library delivers to. */
export async function streams(port: number, id: string = randomUUID()): Promise<FaultyDestination> {
  const stream = `faults:${id}`;
  return {
    name: 'redis-streams',
    promise: { keeps: 'everything', repeats: 'what was tried again' },
    adapter: (through) =>
      new RedisStreamsAdapter({
        url: `redis://127.0.0.1:${through}`,
        destination: stream,
        maxLength: 0,
        timeoutMs: ANSWER_MS,
      }),
    arrivals: async () => {
      const reader = await connected(port);
      const entries = await reader.xRange(stream, '-', '+');
      reader.destroy();
      return entries!.map(({ message: { body, ...headers } }) => {
        const record = { headers, body: String(body) };
        return emissionOf(record).payload as Numbered;
      });
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

async function published(port: number, id: string = randomUUID()): Promise<FaultyDestination> {
  const channel = `told:${id}`;
  const arrived: Numbered[] = [];
  const reader = await connected(port);
  await reader.subscribe(channel, (message) => {
    const { data } = JSON.parse(message) as { data: unknown };
    arrived.push(fromCloudEvent(data).payload as Numbered);
  });
  return {
    name: 'microservices over Redis',
    // ioredis sends again by itself what was not answered.
    promise: { keeps: 'all but restarts', repeats: 'anything' },
    adapter: (through) =>
      new MicroservicesAdapter({
        transport: {
          transport: Transport.REDIS,
          options: { port: through, retryAttempts: 1_000, retryDelay: 20 },
        },
        destination: channel,
        requires: 'accepted',
        timeoutMs: ANSWER_MS,
      }),
    arrivals: async () => arrived,
    [Symbol.asyncDispose]: async () => reader.destroy(),
  };
}

async function connected(port: number) {
  const client = createClient({ url: `redis://127.0.0.1:${port}` });
  client.on('error', () => {});
  await client.connect();
  return client;
}
