import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { Redis } from 'ioredis';
import { ConfigurationError } from 'nestjs-emissions';
import { RedisChannelHistory, type RedisHistoryOptions } from 'nestjs-emissions/redis';
import type { HistoryPosition, RecordedEntry } from '../../../lib/emission/channel-history.js';
import {
  describeOwnRedis,
  redisClient,
  startRedis,
  type TestRedis,
  type TestRedisClient,
} from '../../support/redis.js';
import { rounds, until } from '../../support/until.js';

describeOwnRedis('the history in Redis', () => {
  let redis: TestRedis;
  let client: TestRedisClient;
  let io: Redis;
  let count = 0;

  beforeAll(async () => {
    Logger.overrideLogger(false);
    redis = await startRedis({ own: true });
    client = await redisClient(redis.url);
    io = new Redis(redis.url);
    io.on('error', () => {});
  });
  afterAll(async () => {
    client.destroy();
    io.disconnect();
    await redis[Symbol.asyncDispose]();
  });

  /** One process's history, and what its feed was told. */
  async function process(options: Partial<RedisHistoryOptions> = {}) {
    const history = new RedisChannelHistory({ client, prefix: `test${count}:`, ...options });
    const received: RecordedEntry[] = [];
    const lost: HistoryPosition[] = [];
    const heard: string[] = [];
    await history.open({
      receive: (_, entries) => received.push(...entries),
      lose: (_, position) => lost.push(position),
      hear: (message) => heard.push(message),
    });
    return {
      history,
      received,
      lost,
      heard,
      offsets: () => received.map(({ offset }) => offset),
      append: (...bodies: unknown[]) =>
        history.append(
          'a',
          bodies.map((body) => ({ channels: ['*', 'topic/t'], body })),
        ),
      [Symbol.dispose]: () => history.close(),
    };
  }
  const fresh = () => void count++;

  it.each(['node-redis', 'ioredis'])(
    'brings every process what any of them appends, in one order, with %s',
    async (library) => {
      fresh();
      const options = library === 'ioredis' ? { client: io } : {};
      using one = await process(options);
      using two = await process(options);
      using three = await process(options);
      const all = [one, two, three];
      const positions = await Promise.all(all.map(({ history }) => history.follow('a')));
      expect(new Set(positions.map(({ epoch }) => epoch)).size).toBe(1);
      await Promise.all(
        Array.from({ length: 300 }, (_, n) => all[n % 3]!.append({ n }, { n: -n })),
      );
      await until(() => all.every(({ received }) => received.length === 600));
      const expected = Array.from({ length: 600 }, (_, i) => i + 1);
      for (const { offsets } of all) expect(offsets()).toEqual(expected);
      expect(two.received).toEqual(one.received);
      expect(three.received).toEqual(one.received);
    },
  );

  it('keeps bodies as they are: objects, bytes, text, nothing', async () => {
    fresh();
    using one = await process();
    await one.history.follow('a');
    const bodies = [{ a: [1, 'é'] }, Buffer.from([0, 255, 10]), 'text', null, ['x']];
    await one.append(...bodies);
    await until(() => one.received.length === bodies.length);
    expect(one.received.map(({ body }) => body)).toEqual(bodies);
  });

  it('is read by a process that has followed the tenant only now', async () => {
    fresh();
    using one = await process();
    const begin = await one.history.follow('a');
    for (let n = 0; n < 2_500; n += 100) {
      // oxlint-disable-next-line no-await-in-loop
      await one.append(...Array.from({ length: 100 }, (_, i) => n + i));
    }
    using two = await process({ size: 5_000 });
    const { offset } = await two.history.follow('a');
    expect(offset).toBe(2_500);
    const all = await two.history.read('a', 'topic/t', { ...begin, offset: 1_500 }, 2_400);
    expect(all?.map((entry) => entry.offset)).toEqual(
      Array.from({ length: 900 }, (_, i) => 1_501 + i),
    );
    expect(
      await two.history.read('a', 'topic/t', { ...begin, offset: 1_499 }, 2_400),
    ).toBeUndefined();
    expect(await two.history.read('a', 'other', { ...begin, offset: 1_500 }, 2_400)).toEqual([]);
    expect(await two.history.read('a', '*', { epoch: 'other', offset: 1 }, 2)).toBeUndefined();
  });

  it('brings what one process tells to all others, whatever tenants are called', async () => {
    fresh();
    using one = await process();
    using two = await process();
    await two.history.follow('told');
    await one.history.tell('a message');
    await one.append(1);
    await until(() => two.heard.length > 0);
    expect([one.heard, two.heard]).toEqual([[], ['a message']]);
    expect(two.received).toEqual([]);
  });

  it('is told nothing more of a tenant that is followed no longer', async () => {
    fresh();
    using one = await process();
    await one.history.follow('a');
    await one.append(1);
    await until(() => one.received.length === 1);
    one.history.unfollow('a');
    await one.append(2);
    const again = await one.history.follow('a');
    expect(again.offset).toBe(2);
    await one.append(3);
    await until(() => one.received.length === 2);
    expect(one.offsets()).toEqual([1, 3]);
  });

  it.each(['node-redis', 'ioredis'])(
    'is told of a tenant that is followed again at once, with a client of %s',
    async (library) => {
      fresh();
      const options = library === 'ioredis' ? { client: io } : {};
      using one = await process({ pollMs: 60_000, ...options });
      for (let time = 0; time < 3; time++) {
        // oxlint-disable-next-line no-await-in-loop
        await one.history.follow('a');
        one.history.unfollow('a');
      }
      await one.history.follow('a');
      await one.append(1);
      await until(() => one.received.length === 1);
      one.history.unfollow('a');
      await one.append(2);
      await rounds(50);
      expect(one.offsets()).toEqual([1]);
    },
  );

  it('finds what was published while nobody was connected', async () => {
    fresh();
    using one = await process({ pollMs: 20 });
    using two = await process();
    await one.history.follow('a');
    await one.append(1);
    await until(() => one.received.length === 1);
    // Every connection that listens is cut, and what is appended at that moment is told to nobody.
    const killed = client.sendCommand(['CLIENT', 'KILL', 'TYPE', 'pubsub']);
    await two.append(2, 3);
    await killed;
    await two.append(4);
    await until(() => one.received.length === 4);
    expect(one.offsets()).toEqual([1, 2, 3, 4]);
    expect(one.lost).toEqual([]);
  });

  it('tells what nobody has any more', async () => {
    fresh();
    using one = await process({ pollMs: 60_000, size: 2 });
    using two = await process({ size: 2 });
    const { epoch } = await one.history.follow('a');
    const channel = `test${count}:tenant:a`;
    // What is published with a hole before it is not taken, but looked up.
    await client.sendCommand(['SET', 'unrelated', '1']);
    await two.append(1, 2, 3, 4, 5);
    await until(() => one.received.length === 5);
    await client.sendCommand(['HSET', `test${count}:{t:a}:position`, 'offset', '9']);
    await client.sendCommand(['DEL', `test${count}:{t:a}:log`]);
    await client.publish(
      channel,
      JSON.stringify({ epoch, first: 9, entries: [{ c: ['*'], b: 9 }] }),
    );
    await until(() => one.lost.length === 1);
    expect(one.lost).toEqual([{ epoch, offset: 9 }]);
    await two.append(10);
    await until(() => one.received.length === 6);
    expect(one.offsets()).toEqual([1, 2, 3, 4, 5, 10]);
  });

  it('tells of what it could not take in, once it can again', async () => {
    fresh();
    let broken = false;
    const sendCommand = (command: string[]) =>
      broken ? Promise.reject(new Error('The socket is closed.')) : client.sendCommand(command);
    const cut = { sendCommand, duplicate: () => client.duplicate() } as never;
    using one = await process({ client: cut, pollMs: 20 });
    using two = await process({ pollMs: 60_000 });
    const { epoch } = await one.history.follow('a');
    await two.history.follow('a');
    await one.append(1);
    broken = true;
    await expect(one.append(2)).rejects.toThrow(/closed/);
    await rounds(50);
    expect(one.lost).toEqual([]);
    broken = false;
    await until(() => [one, two].every(({ lost }) => lost.length === 1));
    expect(one.lost).toEqual([{ epoch: expect.not.stringMatching(epoch), offset: 0 }]);
    expect(two.lost).toEqual(one.lost);
    await two.append(3);
    await until(() => [one, two].every(({ received }) => received.length === 2));
    expect(one.received.map(({ offset, body }) => [offset, body])).toEqual([
      [1, 1],
      [1, 3],
    ]);
    expect(await one.history.read('a', '*', { epoch, offset: 0 }, 1)).toBeUndefined();
  });

  it('begins a new epoch when Redis has forgotten what was seen', async () => {
    fresh();
    using one = await process({ pollMs: 20 });
    const { epoch } = await one.history.follow('a');
    await one.append(1, 2, 3);
    await until(() => one.received.length === 3);
    // As after a restart from an older copy.
    await client.sendCommand(['HSET', `test${count}:{t:a}:position`, 'offset', '1']);
    await one.append(4);
    await until(() => one.lost.length === 1);
    expect(one.lost[0]).not.toMatchObject({ epoch });
    await one.append(5);
    await until(() => one.received.some(({ body }) => body === 5));
    expect(await one.history.read('a', '*', { epoch, offset: 1 }, 1)).toBeUndefined();
  });

  it('forgets a tenant by itself', async () => {
    fresh();
    using one = await process({ maxAgeMs: 30 });
    await one.history.follow('a');
    await one.append(1);
    const kept = async () => client.sendCommand(['EXISTS', `test${count}:{t:a}:log`]);
    let left: unknown = 1;
    for (let round = 0; left !== 0 && round < 100_000; round++) {
      // oxlint-disable-next-line no-await-in-loop
      left = await kept();
    }
    expect(left).toBe(0);
    const ttl = Number(await client.sendCommand(['PTTL', `test${count}:{t:a}:position`]));
    expect(ttl).toBeGreaterThan(6 * 24 * 3_600_000);
  });

  it('refuses what is no client', () => {
    expect(() => new RedisChannelHistory({ client: {} as never })).toThrow(ConfigurationError);
    expect(() => new RedisChannelHistory({ client: {} as never })).toThrow(
      /RedisChannelHistory\.client takes a client of redis/,
    );
  });
});
