import { Producer, stringSerializers } from '@platformatic/kafka';
import { describe, expect, it } from '@jest/globals';
import { Kafka, logLevel } from 'kafkajs';
import { ConfigurationError } from 'nestjs-emissions';
import { KafkaAdapter, type KafkaOptions } from 'nestjs-emissions/kafka';
import { adapterContract, createEmission, serveAdapter } from 'nestjs-emissions/testing';
import { Refusals, Unwritable } from '../../support/brokers.js';
import { topicOf } from '../../support/kafka.js';

const brokers = process.env['KAFKA_BROKERS'] || undefined;
const describeKafka = brokers === undefined ? describe.skip : describe;

describe('A KafkaAdapter', () => {
  const producer = { send: () => null, metadata: () => null };

  it.each([
    ['neither', {}],
    ['both', { brokers: '127.0.0.1:9092', client: producer }],
  ])('takes a client or brokers: not %s', (word, given) => {
    const make = () => new KafkaAdapter({ destination: 't', ...given } as unknown as KafkaOptions);
    expect(make).toThrow(ConfigurationError);
    expect(make).toThrow(`either a client or brokers, but got ${word}`);
  });

  it('refuses a producer whose serializers make nothing of bytes', async () => {
    const bootstrapBrokers = ['127.0.0.1:1'];
    const client = new Producer({
      clientId: 'c',
      bootstrapBrokers,
      serializers: stringSerializers,
    });
    const make = () => new KafkaAdapter({ destination: 't', client: client as never });
    expect(make).toThrow(/takes a producer of @platformatic\/kafka without serializers/);
    await client.close();
  });

  it('refuses serializers for a producer of its own', async () => {
    const connection = { serializers: stringSerializers };
    const adapter = new KafkaAdapter({ brokers: '127.0.0.1:1', destination: 't', connection });
    await expect(adapter.onModuleInit()).rejects.toThrow(ConfigurationError);
  });

  it('says at start-up where there is no Kafka', async () => {
    const adapter = new KafkaAdapter({ brokers: '127.0.0.1:1', destination: 't' });
    await expect(adapter.onModuleInit()).rejects.toThrow(
      /cannot connect to 127.0.0.1:1: .*ECONNREFUSED.*Is Kafka running there/,
    );
  });

  it('sends nothing before it is connected', async () => {
    const adapter = new KafkaAdapter({ brokers: '127.0.0.1:1', destination: 't' });
    await expect(adapter.deliver([createEmission('e', 1)])).rejects.toThrow(/not connected yet/);
  });
});

describeKafka('A KafkaAdapter in front of Kafka (KAFKA_BROKERS)', () => {
  const list = brokers?.split(',') ?? [];

  /** A producer of the application, as each package makes it. */
  const clients = {
    'a producer of its own': async () => ({ given: { brokers: brokers! }, close: async () => {} }),
    'a producer of @platformatic/kafka': async () => {
      const client = new Producer({
        ...{ clientId: 'test', bootstrapBrokers: list, idempotent: true, retries: 3 },
        ...{ retryDelay: 50, producerId: -1n, producerEpoch: -1, compression: 'zstd' },
      });
      return { given: { client }, close: () => client.close() };
    },
    'a producer of kafkajs': async () => {
      const client = new Kafka({
        ...{ clientId: 'test', brokers: list, logLevel: logLevel.NOTHING },
        retry: { retries: 1, initialRetryTime: 20 },
      }).producer({ allowAutoTopicCreation: false });
      await client.connect();
      return { given: { client }, close: () => client.disconnect() };
    },
  };

  describe.each(Object.keys(clients) as (keyof typeof clients)[])('through %s', (whose) => {
    adapterContract({
      test: it,
      expect,
      features: { failures: true, partialFailures: true, unencodable: () => new Unwritable() },
      create: async (consumer) => {
        const end = await topicOf(brokers!);
        const refusals = new Refusals();
        const destination = refusals.route(end.topic, 'no-such-topic');
        const { given, close } = await clients[whose]();
        const useFactory = () => new KafkaAdapter({ ...given, destination });
        return {
          app: await serveAdapter({ useFactory }, consumer),
          // A partition keeps its order, and a key its partition.
          emitOptions: { key: 'one' },
          received: end.arrivals,
          refuse: (which, times) => refusals.refuse(which, times),
          close: async () => {
            await close();
            await end[Symbol.asyncDispose]();
          },
        };
      },
    });
  });
});
