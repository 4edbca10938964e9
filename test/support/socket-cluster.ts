import type { INestApplication, Type } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { Test } from '@nestjs/testing';
import { createAdapter as createPostgresAdapter } from '@socket.io/postgres-adapter';
import { createAdapter as createRedisAdapter } from '@socket.io/redis-streams-adapter';
import pg from 'pg';
import type { ServerOptions } from 'socket.io';
import { Emissions, EmissionsModule } from 'nestjs-emissions';
import {
  EmissionsGateway,
  EmissionsGatewayModule,
  type ChannelHistory,
  type GatewayOptions,
} from 'nestjs-emissions/gateway';
import { DATABASE_URL } from './databases.js';
import { authenticate, TENANTS } from './gateway.js';
import { redisClient, type TestRedisClient } from './redis.js';

type SocketAdapter = ServerOptions['adapter'];

/** What connects the socket.io servers of several processes. */
export interface Bridge extends AsyncDisposable {
  /** Whether it does. */
  readonly connects: boolean;
  /** The adapter of one more of the processes that have this name in common. */
  adapter(name: string): Promise<SocketAdapter | undefined>;
}

/** One process. */
export interface ClusterNode {
  readonly app: INestApplication;
  readonly url: string;
  readonly emissions: Emissions;
  readonly gateway: EmissionsGateway;
}

/** What differs between one group of processes and another. */
export interface ClusterOptions {
  readonly history?: (name: string) => Promise<ChannelHistory>;
  readonly gateway?: Partial<GatewayOptions>;
  readonly controllers?: Type[];
}

/** Connects the socket.io servers of several processes, as socket.io's documentation says. */
class ClusterIoAdapter extends IoAdapter {
  constructor(
    app: INestApplication,
    private readonly adapter: SocketAdapter | undefined,
  ) {
    super(app);
  }

  override createIOServer(port: number, options?: ServerOptions) {
    const { adapter } = this;
    return super.createIOServer(port, {
      ...options,
      ...(adapter !== undefined && { adapter }),
    } as ServerOptions);
  }
}

/** Over Redis Streams. */
export function redisBridge(url: string): Bridge {
  const clients: TestRedisClient[] = [];
  return {
    connects: true,
    async adapter(name) {
      const client = await redisClient(url);
      clients.push(client);
      const { duplicate } = client;
      // The adapter reads over connections that it makes of this one, and that nobody closes but us.
      client.duplicate = function (this: typeof client, ...options: []) {
        const second = duplicate.apply(this, options);
        second.on('error', () => {});
        clients.push(second as TestRedisClient);
        return second;
      } as typeof duplicate;
      return createRedisAdapter(client, {
        streamName: name,
        channelPrefix: name,
        heartbeatInterval: 100,
      }) as SocketAdapter;
    },
    [Symbol.asyncDispose]: async () => {
      for (const client of clients) client.destroy();
    },
  };
}

/** Over PostgreSQL, with LISTEN and NOTIFY. */
export function postgresBridge(): Bridge {
  const pools: pg.Pool[] = [];
  return {
    connects: true,
    async adapter(name) {
      const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 4 });
      pools.push(pool);
      await pool
        .query(
          `CREATE TABLE IF NOT EXISTS socket_io_attachments (
             id bigserial UNIQUE, created_at timestamptz DEFAULT NOW(), payload bytea)`,
        )
        // Another process is making it at the same time.
        .catch(() => {});
      return createPostgresAdapter(pool, {
        channelPrefix: name,
        heartbeatInterval: 100,
        heartbeatTimeout: 60_000,
      }) as unknown as SocketAdapter;
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(pools.map((pool) => pool.end()));
    },
  };
}

/** Processes that socket.io does not connect. */
export function noBridge(): Bridge {
  return { connects: false, adapter: async () => undefined, [Symbol.asyncDispose]: async () => {} };
}

let run = 0;

/** Starts so many, and waits until each knows the others. */
export async function startNodes(
  count: number,
  bridge: Bridge,
  { history, gateway, controllers = [] }: ClusterOptions = {},
): Promise<{ nodes: ClusterNode[] } & AsyncDisposable> {
  const name = `cluster-${process.pid}-${Date.now()}-${run++}`;
  const nodes = await Promise.all(
    Array.from({ length: count }, async (): Promise<ClusterNode> => {
      const shared = history === undefined ? {} : { history: await history(`${name}:`) };
      const module = await Test.createTestingModule({
        imports: [
          EmissionsModule.forRoot(TENANTS),
          EmissionsGatewayModule.forRoot({ authenticate, presence: true, ...shared, ...gateway }),
        ],
        controllers,
      }).compile();
      const app = module.createNestApplication({ logger: false });
      app.useWebSocketAdapter(new ClusterIoAdapter(app, await bridge.adapter(name)));
      await app.listen(0, '127.0.0.1');
      return {
        app,
        url: await app.getUrl(),
        emissions: app.get(Emissions),
        gateway: app.get(EmissionsGateway),
      };
    }),
  );
  // Each knows the others by their heartbeats, where socket.io connects them.
  const expected = bridge.connects ? count : 1;
  for (let known = 0; known < expected;) {
    // oxlint-disable-next-line no-await-in-loop
    const counts = await Promise.all(
      nodes.map(({ gateway: { server } }) => server!.adapter.serverCount()),
    );
    known = Math.min(...counts);
    // oxlint-disable-next-line no-await-in-loop
    await new Promise((resolve) => setImmediate(resolve));
  }
  return {
    nodes,
    [Symbol.asyncDispose]: async () => {
      await Promise.all(nodes.map(({ app }) => app.close()));
    },
  };
}
