import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { createAdapter } from '@socket.io/redis-streams-adapter';
import { Test } from '@nestjs/testing';
import type { INestApplication } from '@nestjs/common';
import type { ServerOptions } from 'socket.io';
import { Emissions, EmissionsModule } from 'nestjs-emissions';
import { EmissionsGateway, EmissionsGatewayModule } from 'nestjs-emissions/gateway';
import { RedisChannelHistory } from 'nestjs-emissions/redis';
import { authenticate, TENANTS } from '../support/gateway.js';
import {
  describeRedis,
  redisClient,
  startRedis,
  type TestRedis,
  type TestRedisClient,
} from '../support/redis.js';
import { connect, type Client } from '../support/sockets.js';
import { until } from '../support/until.js';

/** Connects the socket.io servers of several processes, as socket.io's documentation says. */
class ClusterIoAdapter extends IoAdapter {
  constructor(
    app: INestApplication,
    private readonly adapter: ReturnType<typeof createAdapter>,
  ) {
    super(app);
  }

  override createIOServer(port: number, options?: ServerOptions) {
    return super.createIOServer(port, { ...options, adapter: this.adapter } as ServerOptions);
  }
}

describeRedis("processes that socket.io's adapter of Redis Streams connects", () => {
  let redis: TestRedis;
  const clients: TestRedisClient[] = [];
  let run = 0;

  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(async () => {
    for (const client of clients) client.destroy();
    await redis[Symbol.asyncDispose]();
  });

  async function redisOf(): Promise<TestRedisClient> {
    const client = await redisClient(redis.url);
    clients.push(client);
    return client;
  }

  /** The adapter reads over a connection that it makes of this one, and that nobody closes but us. */
  async function adapterRedis(): Promise<TestRedisClient> {
    const client = await redisOf();
    const { duplicate } = client;
    client.duplicate = function (this: typeof client, ...options: []) {
      const second = duplicate.apply(this, options);
      second.on('error', () => {});
      clients.push(second as TestRedisClient);
      return second;
    } as typeof duplicate;
    return client;
  }

  async function serve(count: number, shared: boolean) {
    const prefix = `cluster-${process.pid}-${Date.now()}-${run++}`;
    const nodes = await Promise.all(
      Array.from({ length: count }, async () => {
        const history = shared
          ? { history: new RedisChannelHistory({ client: await redisOf(), prefix: `${prefix}:` }) }
          : {};
        const module = await Test.createTestingModule({
          imports: [
            EmissionsModule.forRoot(TENANTS),
            EmissionsGatewayModule.forRoot({ authenticate, presence: true, ...history }),
          ],
        }).compile();
        const app = module.createNestApplication({ logger: false });
        const adapter = createAdapter(await adapterRedis(), {
          streamName: prefix,
          heartbeatInterval: 100,
        });
        app.useWebSocketAdapter(new ClusterIoAdapter(app, adapter));
        await app.listen(0, '127.0.0.1');
        return {
          app,
          url: await app.getUrl(),
          emissions: app.get(Emissions),
          gateway: app.get(EmissionsGateway),
        };
      }),
    );
    // Each knows the others by their heartbeats.
    for (let known = 0; known < count;) {
      // oxlint-disable-next-line no-await-in-loop
      const counts = await Promise.all(
        nodes.map(({ gateway }) => gateway.server!.adapter.serverCount()),
      );
      known = Math.min(...counts);
    }
    return {
      nodes,
      [Symbol.asyncDispose]: async () => {
        await Promise.all(nodes.map(({ app }) => app.close()));
      },
    };
  }

  const numbers = (client: Client) => client.received.map(({ payload }) => payload as number);

  it.each([
    [2, 'a history that they share', true],
    [3, 'a history that they share', true],
    [2, 'histories of their own', false],
    [3, 'histories of their own', false],
  ])(
    'bring each socket every emission once, whichever of %i commits, with %s',
    async (count, _, shared) => {
      await using cluster = await serve(count, shared);
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
        const { emissions } = nodes[n % count]!;
        // oxlint-disable-next-line no-await-in-loop
        await emissions.run(() => emissions.emit('order.created', n, { orgId: 'ab'[n % 2]! }));
      }
      await Promise.all(sockets.map((socket) => socket.until(total / 2)));
      await Promise.all(nodes.map(({ emissions }) => emissions.settled()));
      for (const [i, socket] of sockets.entries()) {
        const expected = Array.from({ length: total / 2 }, (_unused, n) => 2 * n + (i % 2));
        expect(numbers(socket).sort((one, two) => one - two)).toEqual(expected);
        socket.socket.close();
      }
    },
  );

  it('tell who comes back honestly that nobody can know what he missed, without a shared history', async () => {
    await using cluster = await serve(2, false);
    const [one, two] = cluster.nodes;
    using before = await connect(one!.url, { tenant: 'a' });
    await before.ask('subscribe', { channel: '*' });
    await two!.emissions.run(() => two!.emissions.emit('x', 1, { orgId: 'a' }));
    const [{ offset }] = (await before.until(1)) as unknown as [{ offset: string }];
    using after = await connect(one!.url, { tenant: 'a' });
    expect(await after.ask('subscribe', { channel: '*', after: offset })).toMatchObject({
      recovered: false,
    });
  });

  it('revoke, disconnect, refresh and count everywhere', async () => {
    await using cluster = await serve(3, true);
    const [one, two, three] = cluster.nodes;
    using ann = await connect(two!.url, { tenant: 'a', subject: 'ann' });
    using bob = await connect(three!.url, { tenant: 'a', subject: 'bob' });
    for (const client of [ann, bob]) {
      // oxlint-disable-next-line no-await-in-loop
      for (const channel of ['*', 'event/x']) await client.ask('subscribe', { channel });
    }
    const present = await one!.gateway.presence('a', '*');
    expect(present.sort((x, y) => x.subject!.localeCompare(y.subject!))).toEqual([
      { subject: 'ann', count: 1 },
      { subject: 'bob', count: 1 },
    ]);
    const revoked = new Promise((resolve) => ann.socket.once('revoked', resolve));
    one!.gateway.revoke({ tenant: 'a', subject: 'ann', channel: '*' });
    expect(await revoked).toMatchObject({ channel: '*' });
    const gone = new Promise((resolve) => bob.socket.once('disconnect', resolve));
    one!.gateway.disconnect({ tenant: 'a', subject: 'bob' });
    expect(await gone).toBe('io server disconnect');
    await one!.gateway.refresh({ tenant: 'a', subject: 'ann', expiresAt: Date.now() + 60_000 });
    const [socket] = [...two!.gateway.server!.sockets.values()];
    await until(() => two!.gateway.identityOf(socket!)?.expiresAt !== undefined);
    expect(two!.gateway.identityOf(socket!)).toMatchObject({ subject: 'ann' });
  });
});
