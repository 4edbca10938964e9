import type { AddressInfo, Server } from 'node:net';
import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  ClientKafka,
  ClientProxy,
  ClientProxyFactory,
  ClientRMQ,
  EventPattern,
  Payload,
  Transport,
  type MicroserviceOptions,
} from '@nestjs/microservices';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import {
  ConfigurationError,
  EmissionsModule,
  fromCloudEvent,
  PartialDeliveryError,
} from 'nestjs-emissions';
import { EmissionsDurableModule } from 'nestjs-emissions/durable';
import { byTopic, MicroservicesAdapter } from 'nestjs-emissions/microservices';
import {
  adapterContract,
  createEmission,
  serveAdapter,
  type Arrival,
} from 'nestjs-emissions/testing';
import { Unwritable } from '../../support/brokers.js';
import { wireTo } from '../../support/wire.js';
import { captureLogs } from '../../support/logs.js';
import { describeRedis, startRedis, type TestRedis } from '../../support/redis.js';

/** A microservice that listens to one pattern. */
async function listener(options: MicroserviceOptions, pattern = 'happened') {
  const arrivals: Arrival[] = [];
  @Controller()
  class Listener {
    @EventPattern(pattern)
    take(@Payload() event: unknown): void {
      const { id, name, payload } = fromCloudEvent(event);
      arrivals.push({ id, name, payload });
    }
  }
  @Module({ controllers: [Listener] })
  class ListenerModule {}
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(ListenerModule, {
    ...options,
    logger: false,
  });
  await app.listen();
  return { app, arrivals, close: () => app.close(), [Symbol.asyncDispose]: () => app.close() };
}

async function overTcp() {
  const options = { host: '127.0.0.1', port: 0 };
  const server = await listener({ transport: Transport.TCP, options });
  const { port } = server.app.unwrap<Server>().address() as AddressInfo;
  return {
    ...server,
    port,
    transport: { transport: Transport.TCP, options: { ...options, port } },
  } as const;
}

describe('A MicroservicesAdapter over TCP', () => {
  describe.each(['of its own', 'of the application'])('with a client %s', (whose) => {
    adapterContract({
      test: it,
      expect,
      // Nobody answers that an event has come.
      features: { acknowledges: false, unencodable: () => new Unwritable() },
      create: async (consumer) => {
        const { arrivals, transport, close } = await overTcp();
        const client = whose === 'of its own' ? undefined : ClientProxyFactory.create(transport);
        const given = client === undefined ? { transport } : { client };
        const useFactory = () =>
          new MicroservicesAdapter({
            ...given,
            destination: 'happened',
            requires: 'fire-and-forget',
          });
        return {
          app: await serveAdapter({ useFactory }, consumer),
          received: () => arrivals,
          close: async () => {
            await client?.close();
            await close();
          },
        };
      },
    });
  });

  it('says at start-up where there is nobody', async () => {
    const { transport, close } = await overTcp();
    await close();
    const adapter = new MicroservicesAdapter({
      transport,
      destination: 'x',
      requires: 'fire-and-forget',
    });
    await expect(adapter.onModuleInit()).rejects.toThrow(
      /cannot connect ClientTCP: .*ECONNREFUSED.*Is the server running/,
    );
  });

  it('warns that it promises nothing, unless that is meant', async () => {
    await using server = await overTcp();
    const { transport } = server;
    using logs = captureLogs();
    void new MicroservicesAdapter({ transport, destination: 'x' });
    void new MicroservicesAdapter({ transport, destination: 'x', requires: 'fire-and-forget' });
    expect(logs.of('warn')).toEqual([expect.stringMatching(/ClientTCP, which promises nothing/)]);
  });
});

describeRedis('A MicroservicesAdapter over Redis', () => {
  let redis: TestRedis;
  beforeAll(async () => void (redis = await startRedis()), 60_000);
  afterAll(async () => redis?.[Symbol.asyncDispose]());
  const optionsOf = (port: number | string) => ({ host: '127.0.0.1', port: Number(port) });

  let patterns = 0;
  adapterContract({
    test: it,
    expect,
    // Redis answers when it has told its listeners, which get it a moment later.
    features: { acknowledges: false, unencodable: () => new Unwritable() },
    create: async (consumer) => {
      const pattern = `happened-${process.pid}-${++patterns}`;
      const options = optionsOf(new URL(redis.url).port);
      const { arrivals, close } = await listener({ transport: Transport.REDIS, options }, pattern);
      const useFactory = () =>
        new MicroservicesAdapter({
          transport: { transport: Transport.REDIS, options },
          destination: pattern,
          requires: 'accepted',
        });
      return { app: await serveAdapter({ useFactory }, consumer), received: () => arrivals, close };
    },
  });

  it('fails in time when nothing is answered', async () => {
    await using wire = await wireTo(Number(new URL(redis.url).port));
    const adapter = new MicroservicesAdapter({
      transport: { transport: Transport.REDIS, options: optionsOf(wire.port) },
      destination: 'x',
      timeoutMs: 150,
    });
    await adapter.onModuleInit();
    wire.swallow();
    await expect(adapter.deliver([createEmission('e', {})])).rejects.toThrow(
      /has not answered within 150 ms/,
    );
    wire.cut();
    await adapter.onApplicationShutdown();
  });
});

/** What goes through a broker: where it is, and how it is said to both sides. */
const BROKERS = [
  {
    name: 'RabbitMQ',
    url: process.env['AMQP_URL'],
    guarantee: 'acknowledged',
    options: (url: string, queue: string) => ({
      transport: Transport.RMQ as const,
      options: {
        ...{ urls: [url], queue, persistent: true },
        queueOptions: { durable: true, arguments: { 'x-expires': 60_000 } },
      },
    }),
  },
  {
    name: 'NATS',
    url: process.env['NATS_URL'],
    guarantee: 'fire-and-forget',
    options: (url: string) => ({ transport: Transport.NATS as const, options: { servers: [url] } }),
  },
] as const;

describe.each(BROKERS)('A MicroservicesAdapter over $name', ({ url, guarantee, options }) => {
  const there = url === undefined ? describe.skip : describe;
  let names = 0;

  there('and a listener', () => {
    adapterContract({
      test: it,
      expect,
      // The listener gets it a moment after the broker has.
      features: { acknowledges: false, unencodable: () => new Unwritable() },
      create: async (consumer) => {
        const pattern = `happened-${process.pid}-${++names}`;
        const transport = options(url!, pattern);
        const { arrivals, close } = await listener(transport, pattern);
        const useFactory = () =>
          new MicroservicesAdapter({ transport, destination: pattern, requires: guarantee });
        const app = await serveAdapter({ useFactory }, consumer);
        return { app, received: () => arrivals, close };
      },
    });
  });
});

/** A transport of one's own, which fails as those of Nest do. */
class FailingClient extends ClientProxy {
  constructor(private readonly rejection: unknown) {
    super();
  }
  async connect(): Promise<void> {}
  close(): void {}
  unwrap<T>(): T {
    return undefined as T;
  }
  protected publish(): () => void {
    return () => {};
  }
  protected async dispatchEvent({ pattern }: { pattern: string }): Promise<any> {
    // oxlint-disable-next-line typescript/only-throw-error -- what transports of Nest do
    if (pattern === 'bad') throw this.rejection;
  }
}

function outcomeOf(work: () => unknown): string {
  try {
    work();
    return 'fine';
  } catch (error) {
    return (error as Error).message;
  }
}

describe('What a MicroservicesAdapter promises', () => {
  it.each([
    ['ClientRMQ', new ClientRMQ({ persistent: true }), 'acknowledged'],
    ['ClientRMQ that does not persist', new ClientRMQ({}), 'accepted'],
    ['ClientKafka', new ClientKafka({ producerOnlyMode: true }), 'acknowledged'],
    ['ClientKafka without acks', new ClientKafka({ send: { acks: 0 } }), 'fire-and-forget'],
    ['a client of your own', new FailingClient('x'), 'fire-and-forget'],
  ])('is what its transport does: %s', (_, client, guarantee) => {
    const destination = 'x';
    const make = (requires: 'acknowledged' | 'accepted' | 'fire-and-forget') =>
      new MicroservicesAdapter({ client: client as ClientProxy, destination, requires });
    expect(make('fire-and-forget').guarantee).toBe(guarantee);
    const outcome = outcomeOf(() => make('acknowledged'));
    expect(outcome).toMatch(
      guarantee === 'acknowledged' ? /^fine$/ : /requires 'acknowledged', but .* only\. \w+/,
    );
  });

  it('is warned about when it is less than a durable registration asks for', async () => {
    const registered = (name: string, guarantee: 'acknowledged' | 'accepted') => ({
      ...{ name, consumer: { durable: true } },
      useFactory: () =>
        new MicroservicesAdapter({ client: new FailingClient('x'), destination: 'x', guarantee }),
    });
    const app = await Test.createTestingModule({
      imports: [
        EmissionsModule.forRoot({
          adapters: [registered('kept', 'acknowledged'), registered('told', 'accepted')],
        }),
        EmissionsDurableModule.forRoot({ embedded: 'memory://' }),
      ],
    }).compile();
    using logs = captureLogs();
    await app.init();
    await app.close();
    expect(logs.of('warn')).toEqual([
      expect.stringMatching(/^The adapter told is durable, but .* 'accepted' only/),
    ]);
  }, 30_000);

  it('can be said for a client that it does not know', () => {
    const client = new FailingClient('x');
    const adapter = new MicroservicesAdapter({
      ...{ client, destination: 'x', guarantee: 'acknowledged', requires: 'acknowledged' },
    });
    expect(adapter.guarantee).toBe('acknowledged');
  });

  it.each([
    ['neither', {}],
    ['both', { client: new FailingClient('x'), transport: { transport: Transport.TCP } }],
  ] as const)('needs a client or a transport: not %s', (word, given) => {
    const make = () => new MicroservicesAdapter({ destination: 'x', ...given });
    expect(make).toThrow(ConfigurationError);
    expect(make).toThrow(`got ${word}`);
  });
});

describe('A transport that fails', () => {
  it.each([
    ['a string', 'Error: Connection lost. Trying to reconnect…', /^Error: Connection lost/],
    ['an object with an error', { err: new Error('no route'), url: 'amqp://x' }, /^no route$/],
    ['an error', new Error('out'), /^out$/],
  ])('fails with an error, whatever it rejects with: %s', async (_, rejection, message) => {
    const adapter = new MicroservicesAdapter({
      client: new FailingClient(rejection),
      destination: byTopic(),
      requires: 'fire-and-forget',
    });
    const bad = createEmission('e', {}, { topic: 'bad' });
    const good = createEmission('e', {}, { topic: 'good' });
    const failure = await adapter.deliver([good, bad]).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(PartialDeliveryError);
    expect((failure as PartialDeliveryError).failed).toEqual([bad]);
    const { cause } = failure as Error;
    expect(cause).toBeInstanceOf(Error);
    expect((cause as Error).message).toMatch(message);
  });
});
