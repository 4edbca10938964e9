import { afterAll, beforeAll, expect, it, describe } from '@jest/globals';
import { Redis } from 'ioredis';
import { ConfigurationError, PartialDeliveryError } from 'nestjs-emissions';
import { RedisStreamsAdapter } from 'nestjs-emissions/redis';
import { adapterContract, createEmission, serveAdapter } from 'nestjs-emissions/testing';
import { arrivalOf, Refusals, Unwritable } from '../../support/brokers.js';
import {
  describeRedis,
  redisClient,
  startRedis,
  type TestRedis,
  type TestRedisClient,
} from '../../support/redis.js';

describe('A RedisStreamsAdapter', () => {
  it('refuses options that it does not have', () => {
    const options = { destination: 's', url: 'redis://x', maxlen: 1 };
    expect(() => new RedisStreamsAdapter(options)).toThrow(ConfigurationError);
  });

  it('says at start-up where there is no Redis, without what is secret in the url', async () => {
    const url = 'redis://me:secret@127.0.0.1:1';
    const adapter = new RedisStreamsAdapter({ url, destination: 's', timeoutMs: 200 });
    await expect(adapter.onModuleInit()).rejects.toThrow(
      /cannot connect to 127.0.0.1:1: .*Is Redis running there/,
    );
    await expect(adapter.onModuleInit()).rejects.not.toThrow(/secret/);
  });
});

describeRedis('A RedisStreamsAdapter in front of Redis', () => {
  let redis: TestRedis;
  let reader: TestRedisClient;
  let streams = 0;
  const newStream = () => `test:${process.pid}:${++streams}`;

  beforeAll(async () => {
    redis = await startRedis();
    reader = await redisClient(redis.url);
    await reader.set(`test:${process.pid}:taken`, 'no stream');
  }, 60_000);

  afterAll(async () => {
    reader?.destroy();
    await redis?.[Symbol.asyncDispose]();
  });

  const entries = async (stream: string) =>
    (await reader.xRange(stream, '-', '+'))!.map(
      ({ message }) => message as Record<string, string>,
    );
  const arrivals = async (stream: string) =>
    (await entries(stream)).map(({ body, ...headers }) => arrivalOf({ headers, body: body! }));

  describe.each(['its own client', 'a client of redis', 'a client of ioredis'] as const)(
    'through %s',
    (kind) => {
      adapterContract({
        test: it,
        expect,
        features: { failures: true, partialFailures: true, unencodable: () => new Unwritable() },
        create: async (consumer) => {
          const stream = newStream();
          const refusals = new Refusals();
          const destination = refusals.route(stream, `test:${process.pid}:taken`);
          const { given, close } = await clientOf(kind);
          const useFactory = () => new RedisStreamsAdapter({ ...given, destination });
          return {
            app: await serveAdapter({ useFactory }, consumer),
            received: () => arrivals(stream),
            refuse: (which, times) => refusals.refuse(which, times),
            close,
          };
        },
      });
    },
  );

  async function clientOf(kind: 'its own client' | 'a client of redis' | 'a client of ioredis') {
    if (kind === 'its own client') return { given: { url: redis.url }, close: () => {} };
    if (kind === 'a client of redis') {
      const client = await redisClient(redis.url);
      return { given: { client }, close: () => client.destroy() };
    }
    const client = new Redis(redis.url);
    return { given: { client }, close: () => client.disconnect() };
  }

  it('keeps streams at their length, about', async () => {
    const stream = newStream();
    const client = await redisClient(redis.url);
    const adapter = new RedisStreamsAdapter({ client, destination: stream, maxLength: 100 });
    await adapter.deliver(Array.from({ length: 1_000 }, (_, n) => createEmission('e', { n })));
    expect(await reader.xLen(stream)).toBeLessThan(300);
    client.destroy();
  });

  it('writes the headers, the key and the body as fields', async () => {
    const stream = newStream();
    const client = await redisClient(redis.url);
    const adapter = new RedisStreamsAdapter({ client, destination: stream });
    const emission = createEmission('e', { n: 1 }, { key: 'k', tenant: 'org-1' });
    await adapter.deliver([emission]);
    expect(await entries(stream)).toEqual([
      expect.objectContaining({
        'message-id': emission.id,
        tenant: 'org-1',
        key: 'k',
        body: '{"n":1}',
      }),
    ]);
    client.destroy();
  });

  it('names what was refused of a batch with the reason of Redis', async () => {
    const stream = newStream();
    const client = await redisClient(redis.url);
    const taken = `test:${process.pid}:taken`;
    const adapter = new RedisStreamsAdapter({
      client,
      destination: ({ name }) => (name === 'bad' ? taken : stream),
    });
    const bad = createEmission('bad', {});
    const failure = await adapter
      .deliver([createEmission('good', {}), bad])
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(PartialDeliveryError);
    expect(failure).toMatchObject({ failed: [bad] });
    expect(String((failure as Error).cause)).toMatch(/WRONGTYPE/);
    client.destroy();
  });
});
