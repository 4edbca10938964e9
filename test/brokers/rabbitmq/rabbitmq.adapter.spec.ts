import { connect, type ChannelModel, type ConsumeMessage } from 'amqplib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ConfigurationError } from 'nestjs-emissions';
import { RabbitMqAdapter, type RabbitMqOptions } from 'nestjs-emissions/rabbitmq';
import {
  adapterContract,
  createEmission,
  serveAdapter,
  type Arrival,
} from 'nestjs-emissions/testing';
import {
  arrivalOf,
  emissionOf,
  persist,
  Refusals,
  Unwritable,
  wireTo,
} from '../../support/brokers.js';

const url = process.env['AMQP_URL'];
const describeRabbitMq = url === undefined ? describe.skip : describe;

describe('A RabbitMqAdapter', () => {
  it.each([
    ['neither', {}],
    ['both', { url: 'amqp://x', client: { createConfirmChannel: () => null } }],
  ])('takes a client or a url: not %s', (word, given) => {
    const make = () =>
      new RabbitMqAdapter({ destination: 'q', ...given } as unknown as RabbitMqOptions);
    expect(make).toThrow(ConfigurationError);
    expect(make).toThrow(`either a client or a url, but got ${word}`);
  });

  it('says at start-up where there is no RabbitMQ, without what is secret in the url', async () => {
    const adapter = new RabbitMqAdapter({ url: 'amqp://me:secret@127.0.0.1:1', destination: 'q' });
    await expect(adapter.onModuleInit()).rejects.toThrow(
      /cannot connect to 127.0.0.1:1: .*ECONNREFUSED.*Is RabbitMQ running there/,
    );
    await expect(adapter.onModuleInit()).rejects.not.toThrow(/secret/);
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

  describe.each(['its own connection', 'one of the application'])('through %s', (whose) => {
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
        const client = whose === 'its own connection' ? undefined : await connect(url!);
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

  describe('when the connection fails', () => {
    const through = async (queue: string, timeoutMs: number) => {
      const wire = await wireTo(Number(new URL(url!).port));
      const address = new URL(url!);
      address.port = String(wire.port);
      const adapter = new RabbitMqAdapter({ url: address.href, destination: queue, timeoutMs });
      await adapter.onModuleInit();
      const send = (n: number) => adapter.deliver([createEmission('e', n)]);
      const close = async () => {
        await adapter.onApplicationShutdown();
        await wire[Symbol.asyncDispose]();
      };
      return { wire, send, close };
    };

    it('fails at once while there is none, keeps nothing to send later, and goes on when it is back', async () => {
      await using end = await queueOf();
      const { wire, send, close } = await through(end.queue, 5_000);
      await send(1);
      wire.cut();
      await expect(send(2)).rejects.toThrow(Error);
      await expect(send(3)).rejects.toThrow(Error);
      wire.mend();
      await persist(() => send(4));
      await persist(async () => expect(end.payloads()).toEqual([1, 4]));
      await close();
    });

    it('fails in time when confirms vanish; what had arrived stays, and nothing is sent again by itself', async () => {
      await using end = await queueOf();
      const { wire, send, close } = await through(end.queue, 300);
      await send(1);
      wire.swallowAnswers();
      await expect(send(2)).rejects.toThrow(/has not confirmed within 300 ms/);
      wire.mend();
      await persist(() => send(3));
      await persist(async () => expect(end.payloads()).toEqual([1, 2, 3]));
      await close();
    });
  });
});
