/* oxlint-disable jest/no-disabled-tests, jest/valid-describe-callback, jest/valid-title -- describe by another name */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Inject, Req, Sse } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';
import { EmissionsStream } from 'nestjs-emissions/gateway';
import { RedisChannelHistory } from 'nestjs-emissions/redis';
import { DATABASE_URL } from '../support/databases.js';
import {
  describeRedis,
  redisClient,
  startRedis,
  type TestRedis,
  type TestRedisClient,
} from '../support/redis.js';
import { listen } from '../support/signals.js';
import {
  noBridge,
  postgresBridge,
  redisBridge,
  startNodes,
  type Bridge,
  type ClusterNode,
} from '../support/socket-cluster.js';
import { connectDeaf } from '../support/deaf-client.js';
import { connect, type Client } from '../support/sockets.js';
import { openEvents } from '../support/event-stream.js';
import { until } from '../support/until.js';

@Controller()
class LiveController {
  constructor(@Inject(EmissionsStream) private readonly stream: EmissionsStream) {}

  @Sse('live')
  live(@Req() request: IncomingMessage) {
    return this.stream.of(request, {
      identity: { tenant: 'a', subject: 'streams' },
      channels: ['*'],
    });
  }
}

const numbers = (client: Client) => client.received.map(({ payload }) => payload as number);
const range = (length: number) => Array.from({ length }, (_, n) => n);
const emit = ({ emissions }: ClusterNode, payload: unknown, orgId = 'a', name = 'order.created') =>
  emissions.run(() => emissions.emit(name, payload, { orgId }));

/** What every bridge promises, whatever history there is. */
function holdsTogether(bridge: () => Bridge, history?: (name: string) => Promise<any>): void {
  const start = (count: number, options: object = {}) =>
    startNodes(count, bridge(), { ...(history !== undefined && { history }), ...options });

  it.each([2, 3])(
    'bring each socket every emission once, whichever of %i commits, and those of one in its order',
    async (count) => {
      await using cluster = await start(count);
      const { nodes } = cluster;
      const sockets = await Promise.all(
        nodes.flatMap(({ url }) => [connect(url, { tenant: 'a' }), connect(url, { tenant: 'b' })]),
      );
      for (const socket of sockets) {
        // oxlint-disable-next-line no-await-in-loop
        for (const channel of ['*', 'topic/orders']) await socket.ask('subscribe', { channel });
      }
      const total = 30 * count;
      for (let n = 0; n < total; n++) {
        // oxlint-disable-next-line no-await-in-loop
        await emit(nodes[n % count]!, n, 'ab'[Math.floor(n / count) % 2]!);
      }
      await Promise.all(sockets.map((socket) => socket.until(total / 2)));
      await Promise.all(nodes.map(({ emissions }) => emissions.settled()));
      for (const [i, socket] of sockets.entries()) {
        const expected = range(total).filter((n) => Math.floor(n / count) % 2 === i % 2);
        const got = numbers(socket);
        expect(got.toSorted((one, two) => one - two)).toEqual(expected);
        for (const node of range(count)) {
          const ofOne = got.filter((n) => n % count === node);
          expect(ofOne).toEqual(ofOne.toSorted((one, two) => one - two));
        }
        socket.socket.close();
      }
    },
  );

  it('keep the order of what differs much in size, and bring bytes', async () => {
    const bytes = Buffer.from([0, 255, 10]);
    await using cluster = await start(2, {
      gateway: { serialize: ({ payload }: any) => (payload.bytes ? bytes : payload) },
    });
    const [one, two] = cluster.nodes;
    using client = await connect(two!.url, { tenant: 'a' });
    await client.ask('subscribe', { channel: '*' });
    for (const n of range(20)) {
      // oxlint-disable-next-line no-await-in-loop
      await emit(one!, { n, text: 'x'.repeat(n % 3 === 0 ? 30_000 : 10) });
    }
    await emit(one!, { bytes: true });
    await client.until(21);
    const all = client.received as unknown as { n?: number; data?: Buffer }[];
    expect(all.map(({ n }) => n)).toEqual([...range(20), undefined]);
    expect(all.at(-1)!.data).toEqual(bytes);
  });

  it('revoke, disconnect, refresh and count everywhere', async () => {
    await using cluster = await start(3, { controllers: [LiveController] });
    const [one, two, three] = cluster.nodes;
    using ann = await connect(two!.url, { tenant: 'a', subject: 'ann' });
    using bob = await connect(three!.url, { tenant: 'a', subject: 'bob' });
    for (const client of [ann, bob]) {
      // oxlint-disable-next-line no-await-in-loop
      for (const channel of ['*', 'event/x']) await client.ask('subscribe', { channel });
    }
    await using stream = await openEvents(`${two!.url}/live`);
    await stream.until(1);
    const present = await one!.gateway.presence('a', '*');
    expect(present.toSorted((x, y) => x.subject!.localeCompare(y.subject!))).toEqual([
      { subject: 'ann', count: 1 },
      { subject: 'bob', count: 1 },
      { subject: 'streams', count: 1 },
    ]);
    const revoked = new Promise((resolve) => ann.socket.once('revoked', resolve));
    one!.gateway.revoke({ tenant: 'a', subject: 'ann', channel: '*' });
    expect(await revoked).toMatchObject({ channel: '*' });
    await emit(one!, 'not for ann', 'a', 'y');
    await emit(one!, 'for ann', 'a', 'x');
    await bob.until(2);
    await ann.until(1);
    expect(ann.received.map(({ payload }) => payload)).toEqual(['for ann']);
    expect((await stream.until(3)).map(({ data }) => data.payload)).toEqual([
      undefined,
      'not for ann',
      'for ann',
    ]);
    const gone = new Promise((resolve) => bob.socket.once('disconnect', resolve));
    one!.gateway.disconnect({ tenant: 'a', subject: 'bob' });
    expect(await gone).toBe('io server disconnect');
    await one!.gateway.refresh({ tenant: 'a', subject: 'ann', expiresAt: Date.now() + 60_000 });
    const [socket] = [...two!.gateway.server!.sockets.values()];
    await until(() => two!.gateway.identityOf(socket!)?.expiresAt !== undefined);
    expect(two!.gateway.identityOf(socket!)).toMatchObject({ subject: 'ann' });
  });

  it('cut off a client that does not read, whichever of them emits', async () => {
    await using cluster = await start(2, { gateway: { maxClientQueue: 20 } });
    const [one, two] = cluster.nodes;
    using log = listen('emissions:gateway:slow');
    using reading = await connect(two!.url, { tenant: 'a' });
    await reading.ask('subscribe', { channel: '*' });
    const deaf = await connectDeaf(two!.url, 'a');
    const text = 'x'.repeat(50_000);
    let sent = 0;
    while (log.all.length === 0 && sent < 2_000) {
      // oxlint-disable-next-line no-await-in-loop
      await emit(one!, { n: sent++, text });
      // oxlint-disable-next-line no-await-in-loop
      await reading.until(sent);
    }
    expect(log.of('emissions:gateway:slow')).toMatchObject([{ tenant: 'a', capacity: 20 }]);
    expect(reading.received.map(({ payload }) => payload.n)).toEqual(range(sent));
    deaf.destroy();
  }, 30_000);
}

/** What those promise that share no history. */
function isHonest(bridge: () => Bridge): void {
  it('let a client recover where it was, and tell it elsewhere that nobody knows what it missed', async () => {
    await using cluster = await startNodes(2, bridge());
    const [one, two] = cluster.nodes;
    using watching = await connect(one!.url, { tenant: 'a' });
    using before = await connect(one!.url, { tenant: 'a' });
    for (const client of [watching, before]) {
      // oxlint-disable-next-line no-await-in-loop
      await client.ask('subscribe', { channel: '*' });
    }
    await emit(two!, 1);
    const { offset } = (await before.until(1))[0]!;
    before.socket.close();
    await emit(two!, 2);
    await watching.until(2);
    using after = await connect(one!.url, { tenant: 'a' });
    const again = { channel: '*', after: offset };
    expect(await after.ask('subscribe', again)).toMatchObject({ recovered: true });
    expect(numbers(after)).toEqual([2]);
    using elsewhere = await connect(two!.url, { tenant: 'a' });
    expect(await elsewhere.ask('subscribe', again)).toMatchObject({ recovered: false });
  });
}

describeRedis('processes that share a history in Redis', () => {
  let redis: TestRedis;
  let bridge: Bridge;
  const clients: TestRedisClient[] = [];
  const history = async (prefix: string) => {
    const client = await redisClient(redis.url);
    clients.push(client);
    return new RedisChannelHistory({ client, prefix });
  };

  beforeAll(async () => {
    redis = await startRedis();
    bridge = redisBridge(redis.url);
  });
  afterAll(async () => {
    await bridge[Symbol.asyncDispose]();
    for (const client of clients) client.destroy();
    await redis[Symbol.asyncDispose]();
  });

  describe("and that socket.io's adapter of Redis Streams connects", () => {
    holdsTogether(() => bridge, history);
  });

  describe("that socket.io's adapter of Redis Streams connects, without that history", () => {
    holdsTogether(() => bridge);
    isHonest(() => bridge);
  });

  it('revoke, disconnect and refresh everywhere without any adapter of socket.io', async () => {
    await using cluster = await startNodes(2, noBridge(), { history });
    const [one, two] = cluster.nodes;
    using ann = await connect(two!.url, { tenant: 'a', subject: 'ann' });
    await ann.ask('subscribe', { channel: '*' });
    const revoked = new Promise((resolve) => ann.socket.once('revoked', resolve));
    one!.gateway.revoke({ tenant: 'a', subject: 'ann' });
    expect(await revoked).toMatchObject({ channel: '*' });
    await one!.gateway.refresh({ tenant: 'a', subject: 'ann', expiresAt: Date.now() + 60_000 });
    const [socket] = [...two!.gateway.server!.sockets.values()];
    await until(() => two!.gateway.identityOf(socket!)?.expiresAt !== undefined);
    const gone = new Promise((resolve) => ann.socket.once('disconnect', resolve));
    one!.gateway.disconnect({ tenant: 'a' });
    expect(await gone).toBe('io server disconnect');
  });
});

(DATABASE_URL === undefined ? describe.skip : describe)(
  "processes that socket.io's adapter of PostgreSQL connects",
  () => {
    const bridge = postgresBridge();
    afterAll(async () => {
      await bridge[Symbol.asyncDispose]();
    });

    holdsTogether(() => bridge);
    isHonest(() => bridge);
  },
);
