import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { ConfigurationError, type EmissionAdapter } from 'nestjs-emissions';
import { NatsAdapter } from 'nestjs-emissions/nats';
import { RabbitMqAdapter } from 'nestjs-emissions/rabbitmq';
import { RedisStreamsAdapter } from 'nestjs-emissions/redis';
import { createEmission } from 'nestjs-emissions/testing';
import type { FaultyDestination } from '../support/faults/destination.js';
import { jetStream } from '../support/faults/nats.js';
import { direct } from '../support/faults/rabbitmq.js';
import { streams } from '../support/faults/redis.js';
import { persist } from '../support/until.js';
import { wireTo } from '../support/wire.js';

describe.each([
  ['RedisStreamsAdapter', RedisStreamsAdapter, { sendCommand: async () => null }],
  ['RabbitMqAdapter', RabbitMqAdapter, { createConfirmChannel: () => null }],
  ['NatsAdapter', NatsAdapter, { subscribe: () => null }],
] as const)('A %s', (name, Adapter: new (options: never) => unknown, client) => {
  it.each([
    ['neither', {}],
    ['both', { url: 'x://x', client }],
  ])('takes a client or a url: not %s', (word, given) => {
    const make = () => new Adapter({ destination: 'd', ...given } as never);
    expect(make).toThrow(ConfigurationError);
    expect(make).toThrow(`${name} takes either a client or a url, but got ${word}`);
  });
});

describe('A URL with a password where it cannot be', () => {
  it.each([
    ['RedisStreamsAdapter', RedisStreamsAdapter, 'redis://shop:s#ecret@127.0.0.1:1'],
    ['RedisStreamsAdapter', RedisStreamsAdapter, 'shop:secret@127.0.0.1:1'],
    ['RabbitMqAdapter', RabbitMqAdapter, 'amqp://shop:s#ecret@127.0.0.1:1'],
    ['NatsAdapter', NatsAdapter, 'nats://127.0.0.1:1, nats://shop:s#ecret@127.0.0.1:1'],
    ['NatsAdapter', NatsAdapter, 'nats://shop:secret@127.0.0.1:1'],
  ] as const)('is refused by a %s, without telling it', (_, Adapter, url) => {
    let refused: unknown;
    try {
      void new Adapter({ destination: 'd', url });
    } catch (error) {
      refused = error;
    }
    expect(refused).toBeInstanceOf(ConfigurationError);
    expect(inspect(refused, { depth: 9 })).toMatch(/encodeURIComponent|connection: {/);
    expect(inspect(refused, { depth: 9 })).not.toMatch(/s#?ecret@/);
  });

  it('is told by its host, with a scheme and without, where nobody is', async () => {
    const adapter = new NatsAdapter({ destination: 'd', url: 'localhost:1, nats://[::1]:2' });
    await expect(adapter.onModuleInit()).rejects.toThrow(
      /cannot connect to localhost:1, \[::1\]:2: /,
    );
  });
});

/** An adapter behind a wire that tests cut, and what comes of that. */
interface Connected extends AsyncDisposable {
  readonly wire: Awaited<ReturnType<typeof wireTo>>;
  readonly end: FaultyDestination;
  send(n: number): Promise<void>;
  close(): Promise<void>;
  arrived(): Promise<number[]>;
}

describe.each([
  ['Redis', 'REDIS_URL', streams],
  ['RabbitMQ', 'AMQP_URL', direct],
  ['NATS', 'NATS_URL', jetStream],
] as const)('A connection to %s', (_, variable, make) => {
  const url = process.env[variable];
  const onServer = url === undefined ? describe.skip : describe;

  async function connected(): Promise<Connected> {
    const port = Number(new URL(url!).port);
    const wire = await wireTo(port);
    const end = await make(port);
    const adapter = (await end.adapter(wire.port)) as EmissionAdapter & {
      onModuleInit(): Promise<void>;
      onApplicationShutdown(): Promise<void>;
    };
    await adapter.onModuleInit();
    const context = { attempt: 2, consumer: 'x', signal: new AbortController().signal };
    return {
      ...{ wire, end },
      send: async (n) => adapter.deliver([createEmission('e', { n, key: 'k' })], context),
      close: () => adapter.onApplicationShutdown(),
      arrived: async () => (await end.arrivals()).map(({ n }) => n),
      [Symbol.asyncDispose]: async () => {
        await adapter.onApplicationShutdown();
        await wire[Symbol.asyncDispose]();
        await end[Symbol.asyncDispose]();
      },
    };
  }

  onServer('that breaks', () => {
    it('fails at once while it is down, keeps nothing to send later, and goes on when it is back', async () => {
      await using to = await connected();
      await to.send(1);
      to.wire.cut();
      await expect(to.send(2)).rejects.toThrow(Error);
      await expect(to.send(3)).rejects.toThrow(Error);
      to.wire.mend();
      await persist(() => to.send(4));
      expect(await to.arrived()).toEqual([1, 4]);
    });

    it('fails in time when answers vanish; what had arrived stays, and nothing is sent again by itself', async () => {
      await using to = await connected();
      await to.send(1);
      to.wire.swallowAnswers();
      await expect(to.send(2)).rejects.toThrow(
        /has not (answered|confirmed) within 1000 ms|was lost/,
      );
      to.wire.mend();
      await persist(() => to.send(3));
      expect(await to.arrived()).toEqual([1, 2, 3]);
    });

    it('closes although nobody answers', async () => {
      await using to = await connected();
      await to.send(1);
      to.wire.swallow();
      await expect(to.close()).resolves.toBeUndefined();
    });
  });
});
