/* oxlint-disable jest/valid-title -- the same rule for one process and for several */
import { describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import fc from 'fast-check';
import { Emissions, EmissionsModule, OnEmission } from 'nestjs-emissions';
import {
  EmissionsGateway,
  EmissionsGatewayModule,
  type GatewayOptions,
} from 'nestjs-emissions/gateway';
import { RedisChannelHistory } from 'nestjs-emissions/redis';
import { serve, type RunningApp } from '../support/app.js';
import { authenticate, TENANTS } from '../support/gateway.js';
import { describeRedis, redisClient, startRedis } from '../support/redis.js';
import { connect, type Client } from '../support/sockets.js';

/** Cascades twice, within the tenant of what it handles, whichever that is. */
@Injectable()
class Cascade {
  constructor(private readonly emissions: Emissions) {}

  @OnEmission('order.created')
  ship(payload: { of: string }) {
    this.emissions.emit('order.shipped', payload);
  }

  @OnEmission('order.shipped')
  bill(payload: { of: string }) {
    this.emissions.emit('bill.sent', payload);
  }
}

const tenants = ['a', 'b', 'a:1', ''.padEnd(3, 'é')] as const;
const channels = ['*', 'topic/orders', 'event/order.created', 'event/bill.sent'] as const;

const tenant = fc.constantFrom(...tenants);
const client = fc.nat({ max: 5 });
const step = fc.oneof(
  { weight: 2, arbitrary: fc.record({ do: fc.constant('connect' as const), client, tenant }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('subscribe' as const),
      client,
      channel: fc.constantFrom(...channels),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('unsubscribe' as const),
      client,
      channel: fc.constantFrom(...channels),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('disconnect' as const), client }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('revoke' as const), tenant }) },
  // With an offset of whichever tenant: it must be worth nothing to another.
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('recover' as const),
      client,
      from: client,
      channel: fc.constantFrom(...channels),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('emit' as const),
      tenant,
      by: fc.constantFrom('metadata', 'payload', 'option'),
      times: fc.integer({ min: 1, max: 20 }),
    }),
  },
);

/** Has clients of all tenants do at random what clients do, at all of the applications; how much came, and to nobody else. */
async function check(apps: RunningApp[], runs: number): Promise<number> {
  const gateways = apps.map(({ app }) => app.get(EmissionsGateway));
  const at = <T>(all: readonly T[], n: number): T => all[n % all.length]!;
  let delivered = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60 }), async (steps) => {
      const clients = new Map<number, { of: string; client: Client }>();
      const join = async (id: number, of: string, turn: number): Promise<void> => {
        clients.get(id)?.client.socket.close();
        const connected = await connect(at(apps, turn).url, { tenant: of });
        await connected.ask('subscribe', { channel: '*' });
        clients.set(id, { of, client: connected });
      };
      for (const [id, of] of tenants.entries()) await join(id, of, id);
      for (const [turn, each] of steps.entries()) {
        if (each.do === 'emit') await emit(at(apps, turn).emissions, each);
        else if (each.do === 'connect') await join(each.client, each.tenant, turn);
        else if (each.do === 'revoke') at(gateways, turn).revoke({ tenant: each.tenant });
        else if (each.do === 'recover') {
          const target = clients.get(each.client);
          const after = clients.get(each.from)?.client.received.at(0)?.offset;
          if (target?.client.socket.connected === true && after !== undefined)
            await target.client.ask('subscribe', { channel: each.channel, after });
        } else if (each.do === 'disconnect') {
          clients.get(each.client)?.client.socket.close();
        } else {
          const target = clients.get(each.client);
          if (target?.client.socket.connected === true)
            await target.client.ask(each.do, { channel: each.channel });
        }
      }
      await Promise.all(apps.map(({ emissions }) => emissions.settled()));
      // What was sent before an acknowledgement has arrived with it.
      for (const { client: live } of clients.values()) {
        if (live.socket.connected) await live.ask('unsubscribe', { channel: '*' });
      }
      for (const { of, client: each } of clients.values()) {
        delivered += each.received.length;
        expect(each.received.filter(({ payload }) => payload.of !== of)).toEqual([]);
        // Who asks for what he left before, gets it again.
        const repeated = each.received.length - new Set(each.received.map(({ id }) => id)).size;
        expect(steps.some((step) => step.do === 'recover') ? 0 : repeated).toBe(0);
        each.socket.close();
      }
    }),
    { numRuns: runs },
  );
  if (process.env['EMISSIONS_RUNS']) console.log(`${delivered} emissions were delivered.`);
  return delivered;
}

const RUNS = Number(process.env['EMISSIONS_RUNS'] ?? 30);
const serveTenants = (options: Partial<GatewayOptions> = {}) =>
  serve({
    imports: [
      EmissionsModule.forRoot(TENANTS),
      EmissionsGatewayModule.forRoot({ authenticate, ...options }),
    ],
    providers: [Cascade],
  });

const RULE =
  'lets no socket see an emission of another tenant, through joins, leaves, reconnects, recoveries, revocations and cascades';

describe('tenancy', () => {
  it(
    RULE,
    async () => {
      await using app = await serveTenants();
      expect(await check([app], RUNS)).toBeGreaterThan(RUNS * 50);
    },
    1_800_000,
  );
});

describeRedis('tenancy in several processes', () => {
  it(
    RULE,
    async () => {
      await using redis = await startRedis();
      const clients = await Promise.all([redisClient(redis.url), redisClient(redis.url)]);
      const prefix = `tenancy-${process.pid}-${Date.now()}:`;
      const [one, two] = await Promise.all(
        clients.map((client) =>
          serveTenants({ history: new RedisChannelHistory({ client, prefix }) }),
        ),
      );
      try {
        expect(await check([one!, two!], Math.ceil(RUNS / 3))).toBeGreaterThan(RUNS * 10);
      } finally {
        await Promise.all([one!.close(), two!.close()]);
        for (const client of clients) client.destroy();
      }
    },
    1_800_000,
  );
});

/** The tenant may be said in three ways. */
function emit(
  emissions: Emissions,
  {
    tenant: of,
    by,
    times,
  }: { tenant: string; by: 'metadata' | 'payload' | 'option'; times: number },
): Promise<unknown> {
  return emissions.run(() => {
    for (let i = 0; i < times; i++) {
      if (by === 'metadata') emissions.emit('order.created', { of }, { orgId: of });
      else if (by === 'payload') emissions.emit('order.created', { of, orgId: of });
      else emissions.emit('order.created', { of }, {}, { tenant: of });
    }
  });
}
