import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { io } from 'socket.io-client';
import { EmissionsModule } from 'nestjs-emissions';
import { connect, type LiveClient, type LiveEmission } from 'nestjs-emissions/client';
import { EmissionsGatewayModule, type ChannelHistory } from 'nestjs-emissions/gateway';
import { RedisChannelHistory } from 'nestjs-emissions/redis';
import { serve, type RunningApp } from '../support/app.js';
import { authenticate, TENANTS } from '../support/gateway.js';
import {
  describeRedis,
  redisClient,
  startRedis,
  type TestRedis,
  type TestRedisClient,
} from '../support/redis.js';
import { until } from '../support/until.js';

/** How many connections are cut in each test; the nightly run cuts more. */
const CUTS = Number(process.env['EMISSIONS_CUTS'] ?? 120);
const NAMES = ['order.created', 'order.shipped', 'other', 'quiet'];
const CHANNELS = ['*', 'topic/orders', 'event/other', 'event/quiet'] as const;

/** What a client was told on one channel: emissions, and where it was told that some are missing. */
type Told = (LiveEmission | 'gap')[];

interface Participant {
  readonly tenant: string;
  readonly client: LiveClient;
  readonly told: Map<string, Told>;
  readonly strangers: LiveEmission[];
  cut(): void;
  close(): void;
}

/** A client that follows all channels, and comes back to any of the servers. */
function participate(urls: string[], tenant: string): Participant {
  const socket = io(urls[0]!, {
    auth: { tenant },
    transports: ['websocket'],
    forceNew: true,
    reconnectionDelay: 1,
    reconnectionDelayMax: 5,
    // One that is cut while it connects would be waited for, for so long.
    timeout: 500,
  });
  const client = connect(socket);
  const told = new Map<string, Told>();
  const strangers: LiveEmission[] = [];
  for (const name of CHANNELS) {
    const list: Told = [];
    told.set(name, list);
    const channel = client.channel<string>(name);
    channel.on((emission) => {
      list.push(emission);
      if (emission.metadata['orgId'] !== tenant) strangers.push(emission);
    });
    channel.onGap(() => list.push('gap'));
  }
  return {
    tenant,
    client,
    told,
    strangers,
    cut() {
      const manager = socket.io as unknown as { uri: string };
      manager.uri = urls[Math.floor(Math.random() * urls.length)]!;
      if (socket.connected) socket.io.engine.close();
    },
    close: () => socket.close(),
  };
}

const numberOf = ({ offset }: LiveEmission) => Number(/\d+$/.exec(offset)![0]);

function carries(channel: string, { name }: LiveEmission): boolean {
  if (channel === '*') return true;
  return channel === 'topic/orders' ? name.startsWith('order.') : channel === `event/${name}`;
}

/** Every place where something is missing or stands twice and nobody was told; how often somebody was told. */
function judge(all: Participant[], truth: Map<string, LiveEmission[]>) {
  const wrong: string[] = [];
  let gaps = 0;
  for (const { tenant, told } of all) {
    for (const [channel, list] of told) {
      const carried = truth.get(tenant)!.filter((emission) => carries(channel, emission));
      let before: number | undefined;
      for (const each of list) {
        if (each === 'gap') {
          gaps++;
          before = undefined;
          continue;
        }
        const at = carried.findIndex(({ id }) => id === each.id);
        if (before !== undefined && at !== before + 1)
          wrong.push(`${tenant} ${channel}: ${before} → ${at}`);
        before = at;
      }
      if (before !== undefined && before !== carried.length - 1)
        wrong.push(`${tenant} ${channel} ends at ${before} of ${carried.length}`);
    }
  }
  return { wrong, gaps };
}

/** Cuts connections at random moments while every server emits for every tenant. */
async function run(apps: RunningApp[], cuts: number) {
  const urls = apps.map(({ url }) => url);
  const tenants = ['a', 'b'];
  const watchers = tenants.map((tenant) => participate(urls.slice(0, 1), tenant));
  const clients = Array.from({ length: 12 }, (_, i) => participate(urls, tenants[i % 2]!));
  const everybody = [...watchers, ...clients];
  await Promise.all(
    everybody.flatMap(({ client }) => CHANNELS.map((name) => client.channel(name).ready)),
  );
  let done = 0;
  for (let n = 0; done < cuts; n++) {
    const { emissions } = apps[n % apps.length]!;
    // oxlint-disable-next-line no-await-in-loop
    await emissions.run(() => {
      for (let i = 0; i < 1 + (n % 4); i++) {
        const name = NAMES[Math.floor(Math.random() * (n % 50 === 0 ? 4 : 3))]!;
        emissions.emit(name, n, { orgId: tenants[Math.floor(Math.random() * 2)]! });
      }
    });
    // oxlint-disable-next-line no-await-in-loop
    await new Promise((resolve) => setImmediate(resolve));
    if (n % 3 !== 0) continue;
    clients[Math.floor(Math.random() * clients.length)]!.cut();
    done++;
  }
  const last = (list: Told | undefined) => list?.findLast((each) => each !== 'gap');
  await Promise.all(apps.map(({ emissions }) => emissions.settled()));
  // What is emitted while somebody is away may be a gap to him, and so might be the last of all.
  await until(
    () =>
      everybody.every(({ client }) =>
        CHANNELS.every((name) => client.channel(name).state === 'following'),
      ),
    5_000_000,
  );
  const [app] = apps;
  await app!.emissions.run(() => {
    for (const orgId of tenants) {
      for (const name of NAMES) app!.emissions.emit(name, 'last', { orgId });
    }
  });
  await until(
    () =>
      everybody.every(({ told }) =>
        CHANNELS.every((channel) => {
          const newest = last(told.get(channel));
          return (
            newest !== undefined &&
            newest.payload === 'last' &&
            (channel !== '*' || newest.name === 'quiet')
          );
        }),
      ),
    5_000_000,
  );
  const truth = new Map(
    watchers.map(({ tenant, told }) => [tenant, told.get('*')!.filter((each) => each !== 'gap')]),
  );
  for (const each of everybody) each.close();
  return { truth, clients, watchers, ...judge(clients, truth) };
}

describe('clients whose connections are cut at random', () => {
  it('miss nothing and get nothing twice, of one process', async () => {
    await using app = await serve({
      imports: [EmissionsModule.forRoot(TENANTS), EmissionsGatewayModule.forRoot({ authenticate })],
    });
    const { truth, wrong, gaps, clients } = await run([app], CUTS);
    expect(wrong).toEqual([]);
    expect(gaps).toBe(0);
    expect(clients.flatMap(({ strangers }) => strangers)).toEqual([]);
    for (const list of truth.values()) {
      expect(list.map(numberOf)).toEqual(list.map((_, i) => i + 1));
    }
  }, 120_000);

  it('are told of every gap where little is kept', async () => {
    await using app = await serve({
      imports: [
        EmissionsModule.forRoot(TENANTS),
        EmissionsGatewayModule.forRoot({ authenticate, history: { size: 2 } }),
      ],
    });
    const { wrong, gaps } = await run([app], CUTS);
    expect(wrong).toEqual([]);
    expect(gaps).toBeGreaterThan(0);
  }, 120_000);
});

describeRedis('clients of several processes, whose connections are cut at random', () => {
  let redis: TestRedis;
  const clients: TestRedisClient[] = [];

  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(async () => {
    for (const client of clients) client.destroy();
    await redis[Symbol.asyncDispose]();
  });

  async function history(prefix: string, size: number): Promise<ChannelHistory> {
    const client = await redisClient(redis.url);
    clients.push(client);
    return new RedisChannelHistory({ client, prefix, size });
  }

  it.each([
    [2, 1_000],
    [3, 1_000],
    [3, 3],
  ])(
    'of %i processes that keep %i miss nothing untold, whichever they come back to',
    async (processes, size) => {
      const prefix = `cut-${process.pid}-${processes}-${size}-${Date.now()}:`;
      const apps = await Promise.all(
        Array.from({ length: processes }, async () =>
          serve({
            imports: [
              EmissionsModule.forRoot(TENANTS),
              EmissionsGatewayModule.forRoot({
                authenticate,
                history: await history(prefix, size),
              }),
            ],
          }),
        ),
      );
      try {
        const { truth, wrong, gaps, clients: all } = await run(apps, CUTS);
        expect(wrong).toEqual([]);
        expect(gaps > 0).toBe(size === 3);
        expect(all.flatMap(({ strangers }) => strangers)).toEqual([]);
        for (const list of truth.values()) {
          expect(list.map(numberOf)).toEqual(list.map((_, i) => i + 1));
        }
      } finally {
        await Promise.all(apps.map((app) => app.close()));
      }
    },
    120_000,
  );
});
