import { connect, type ChannelModel, type ConsumeMessage } from 'amqplib';
import { AmqpConnectionManagerClass as AmqpConnectionManager } from 'amqp-connection-manager';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RabbitMqAdapter } from 'nestjs-emissions/rabbitmq';
import {
  adapterContract,
  createEmission,
  serveAdapter,
  type Arrival,
} from 'nestjs-emissions/testing';
import { arrivalOf, emissionOf, Refusals, Unwritable } from '../../support/brokers.js';
import { persist } from '../../support/until.js';

const url = process.env['AMQP_URL'];
const describeRabbitMq = url === undefined ? describe.skip : describe;

describe('A RabbitMqAdapter', () => {
  it('says at start-up where there is no RabbitMQ, without what is secret in the url', async () => {
    const adapter = new RabbitMqAdapter({ url: 'amqp://me:secret@127.0.0.1:1', destination: 'q' });
    const started = adapter.onModuleInit();
    await expect(started).rejects.toThrow(
      /cannot connect to 127.0.0.1:1: .*ECONNREFUSED.*Is RabbitMQ running there/,
    );
    await expect(started).rejects.not.toThrow(/secret/);
  });
});

describeRabbitMq('A RabbitMqAdapter in front of RabbitMQ (AMQP_URL)', () => {
  let model: ChannelModel;
  let queues = 0;

  beforeAll(async () => {
    model = await connect(url!);
  });
  afterAll(async () => {
    await model?.close();
  });

  /** A queue, and what has come there. */
  async function queueOf() {
    const queue = `test-${process.pid}-${++queues}`;
    const messages: ConsumeMessage[] = [];
    const channel = await model.createChannel();
    await channel.assertQueue(queue, { durable: true, autoDelete: false });
    await channel.consume(queue, (message) => void messages.push(message!), { noAck: true });
    const records = () =>
      messages.map(({ properties, content }) => ({
        headers: properties.headers ?? {},
        body: content,
      }));
    const close = async () => {
      await channel.deleteQueue(queue);
      await channel.close();
    };
    return {
      ...{ queue, messages, close },
      arrivals: (): Arrival[] => records().map(arrivalOf),
      payloads: () => records().map((record) => emissionOf(record).payload),
      [Symbol.asyncDispose]: close,
    };
  }

  const clients = {
    'its own connection': undefined,
    'one of the application': () => connect(url!),
    'one of amqp-connection-manager': async () => {
      const manager = new AmqpConnectionManager(url!);
      await manager.connect();
      return manager;
    },
  };
  describe.each(Object.entries(clients))('through %s', (_, connected) => {
    adapterContract({
      test: it,
      expect,
      // It is in the queue; that it is read from there takes a moment.
      features: {
        ...{ failures: true, partialFailures: true, acknowledges: false },
        unencodable: () => new Unwritable(),
      },
      create: async (consumer) => {
        const { queue, arrivals, close } = await queueOf();
        const refusals = new Refusals();
        const destination = refusals.route(queue, 'no-such-queue');
        const client = await connected?.();
        const given = client === undefined ? { url: url! } : { client };
        const useFactory = () => new RabbitMqAdapter({ ...given, destination });
        return {
          app: await serveAdapter({ useFactory }, consumer),
          received: arrivals,
          refuse: (which, times) => refusals.refuse(which, times),
          close: async () => {
            await client?.close();
            await close();
          },
        };
      },
    });
  });

  it('marks messages as RabbitMQ and its tools know them', async () => {
    await using end = await queueOf();
    const adapter = new RabbitMqAdapter({ url: url!, destination: end.queue });
    await adapter.onModuleInit();
    const emission = createEmission('order.created', { n: 1 }, { tenant: 'org-1' });
    await adapter.deliver([emission]);
    await persist(async () => expect(end.messages.length).toBe(1));
    expect(end.messages[0]!.properties).toMatchObject({
      messageId: emission.id,
      correlationId: emission.correlationId,
      type: 'order.created',
      contentType: 'application/json',
      deliveryMode: 2,
      headers: { tenant: 'org-1', cloudEvents_type: 'order.created' },
    });
    await adapter.onApplicationShutdown();
  });

  it('names the routing key that no queue takes', async () => {
    const adapter = new RabbitMqAdapter({ url: url!, destination: 'nowhere' });
    await adapter.onModuleInit();
    await expect(adapter.deliver([createEmission('e', {})])).rejects.toThrow(
      /No queue of RabbitMQ takes the routing key 'nowhere'.*Bind one, or set mandatory/,
    );
    await adapter.onApplicationShutdown();
  });

  it('says that a queue is full, for what did not fit, and delivers the rest', async () => {
    const queue = `test-${process.pid}-full`;
    const adapter = new RabbitMqAdapter({
      ...{ url: url!, destination: queue },
      setup: async (channel) => {
        const full = { 'x-max-length': 1, 'x-overflow': 'reject-publish' };
        await channel.assertQueue(queue, { arguments: full, exclusive: true });
      },
    });
    await adapter.onModuleInit();
    const batch = [1, 2, 3].map((n) => createEmission('e', n));
    const failure = adapter.deliver(batch);
    await expect(failure).rejects.toThrow(/RabbitMQ has refused .*'reject-publish'/);
    await expect(failure).rejects.toMatchObject({ failed: batch.slice(1) });
    await adapter.onApplicationShutdown();
  });

  it('goes on with a new channel after an exchange that does not exist, declared by setup', async () => {
    await using end = await queueOf();
    const exchange = `exchange-${end.queue}`;
    let isThere = false;
    const adapter = new RabbitMqAdapter({
      ...{ url: url!, exchange, destination: 'orders' },
      setup: async (channel) => {
        if (!isThere) return;
        await channel.assertExchange(exchange, 'topic', { autoDelete: true });
        await channel.bindQueue(end.queue, exchange, 'orders');
      },
    });
    await adapter.onModuleInit();
    await expect(adapter.deliver([createEmission('e', 1)])).rejects.toThrow(/no exchange|closed/i);
    isThere = true;
    await persist(() => adapter.deliver([createEmission('e', 2)]));
    await persist(async () => expect(end.payloads()).toEqual([2]));
    await adapter.onApplicationShutdown();
  });
});
