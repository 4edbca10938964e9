import { randomUUID } from 'node:crypto';
import { Transport } from '@nestjs/microservices';
import { connect } from 'amqplib';
import { fromCloudEvent } from 'nestjs-emissions';
import { MicroservicesAdapter } from 'nestjs-emissions/microservices';
import { RabbitMqAdapter } from 'nestjs-emissions/rabbitmq';
import { emissionOf } from '../brokers.js';
import { missing, ownServer } from '../own-server.js';
import {
  ANSWER_MS,
  type AdapterPromise,
  type FaultyDestination,
  type FaultyServer,
  type Numbered,
} from './destination.js';

/** RabbitMQ, with the adapter's own client and with that of Nest. */
export const RABBITMQ: FaultyServer = {
  name: 'RabbitMQ',
  missing: missing('rabbitmq'),
  start: () => ownServer('rabbitmq'),
  destinations: [direct, throughNest],
};

const promise: AdapterPromise = { keeps: 'everything', repeats: 'what was tried again' };

/** What the adapter of this library delivers to. */
export async function direct(port: number, id: string = randomUUID()): Promise<FaultyDestination> {
  const queue = `faults-${id}`;
  return {
    ...(await reading(port, queue, ({ headers, body }) => emissionOf({ headers, body }).payload)),
    name: 'rabbitmq',
    promise,
    adapter: (through) =>
      new RabbitMqAdapter({
        url: `amqp://127.0.0.1:${through}?heartbeat=1`,
        destination: queue,
        setup: async (channel) => void (await channel.assertQueue(queue)),
        timeoutMs: ANSWER_MS,
      }),
  };
}

async function throughNest(port: number, id: string = randomUUID()): Promise<FaultyDestination> {
  const queue = `nest-${id}`;
  const payloadOf = ({ body }: Message): unknown => {
    const { data } = JSON.parse(body.toString()) as { data: unknown };
    return fromCloudEvent(data).payload;
  };
  return {
    ...(await reading(port, queue, payloadOf)),
    name: 'microservices over RabbitMQ',
    promise,
    adapter: (through) =>
      new MicroservicesAdapter({
        transport: {
          transport: Transport.RMQ,
          options: {
            ...{ urls: [`amqp://127.0.0.1:${through}`], queue, persistent: true },
            queueOptions: { durable: true },
            socketOptions: { heartbeatIntervalInSeconds: 1, reconnectTimeInSeconds: 0.05 },
          },
        },
        destination: 'happened',
        requires: 'acknowledged',
        timeoutMs: ANSWER_MS,
      }),
  };
}

interface Message {
  readonly headers: Record<string, unknown>;
  readonly body: Buffer;
}

/** Declares a durable queue, and takes out of it what is in it whenever that is asked for. */
async function reading(port: number, queue: string, payloadOf: (message: Message) => unknown) {
  const arrived: Numbered[] = [];
  const inChannel = async <T>(
    work: (channel: Awaited<ReturnType<typeof openChannel>>['channel']) => Promise<T>,
  ): Promise<T> => {
    const { model, channel } = await openChannel(port);
    try {
      return await work(channel);
    } finally {
      await model.close();
    }
  };
  await inChannel((channel) => channel.assertQueue(queue));
  return {
    arrivals: () =>
      inChannel(async (channel) => {
        for (;;) {
          // oxlint-disable-next-line no-await-in-loop -- one behind another, in order
          const message = await channel.get(queue, { noAck: true });
          if (message === false) return arrived;
          const { content: body, properties } = message;
          arrived.push(payloadOf({ headers: properties.headers ?? {}, body }) as Numbered);
        }
      }),
    [Symbol.asyncDispose]: () =>
      inChannel(async (channel) => void (await channel.deleteQueue(queue))),
  };
}

async function openChannel(port: number) {
  const model = await connect(`amqp://127.0.0.1:${port}`);
  return { model, channel: await model.createChannel() };
}
