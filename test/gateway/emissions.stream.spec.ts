import { describe, expect, it } from '@jest/globals';
import { Controller, Inject, Req, Sse } from '@nestjs/common';
import type { IncomingMessage, Server as HttpServer } from 'node:http';
import { EmissionsModule } from 'nestjs-emissions';
import {
  EmissionsGateway,
  EmissionsGatewayModule,
  EmissionsStream,
  type GatewayOptions,
} from 'nestjs-emissions/gateway';
import { serve, SERVERS, type Server } from '../support/app.js';
import { openEvents, type StreamEvent } from '../support/event-stream.js';
import { authenticate, TENANTS } from '../support/gateway.js';
import { rounds } from '../support/until.js';

@Controller()
class LiveController {
  constructor(@Inject(EmissionsStream) private readonly stream: EmissionsStream) {}

  @Sse('live')
  live(@Req() request: IncomingMessage) {
    const { searchParams } = new URL(request.url!, 'http://x');
    return this.stream.of(request, {
      identity: { tenant: searchParams.get('tenant')! },
      channels: searchParams.getAll('channel'),
    });
  }
}

async function serveStream(options: Partial<GatewayOptions> = {}, server: Server = 'express') {
  const app = await serve(
    {
      imports: [
        EmissionsModule.forRoot(TENANTS),
        EmissionsGatewayModule.forRoot({ authenticate, ...options }),
      ],
      controllers: [LiveController],
    },
    server,
  );
  return {
    app,
    gateway: app.app.get(EmissionsGateway),
    emit: (name: string, payload: unknown, orgId = 'a') =>
      app.emissions.run(() => app.emissions.emit(name, payload, { orgId })),
    open: (query: string, last?: string) => openEvents(`${app.url}/live?${query}`, last),
    [Symbol.asyncDispose]: () => app.close(),
  };
}

describe.each(SERVERS)('server-sent events on %s', (server) => {
  it('carry the channels of a tenant, and say where they are', async () => {
    await using at = await serveStream({}, server);
    const live = await at.open('tenant=a&channel=topic/orders');
    await live.until(1);
    await at.emit('order.created', 1);
    await at.emit('other', 2);
    await at.emit('order.created', 3, 'b');
    await at.emit('order.shipped', 4);
    const [following, ...emissions] = await live.until(3);
    expect(following).toMatchObject({ type: 'following', id: expect.stringMatching(/:0$/) });
    expect(emissions.map(({ type, data }) => [type, data.payload])).toEqual([
      ['emission', 1],
      ['emission', 4],
    ]);
    expect(emissions.every(({ id, data }) => id === data.offset)).toBe(true);
    live.close();
  });

  it('go on behind Last-Event-ID, in order over all channels, each once', async () => {
    await using at = await serveStream({}, server);
    const before = await at.open('tenant=a&channel=topic/orders');
    const [{ id }] = (await before.until(1)) as [StreamEvent];
    before.close();
    for (const [n, name] of ['order.created', 'other', 'order.shipped', 'x'].entries())
      await at.emit(name, n);
    await at.app.emissions.settled();
    const query = 'tenant=a&channel=event/other&channel=topic/orders&channel=event/order.created';
    const after = await at.open(query, id);
    const events = await after.until(4);
    expect(events.map(({ type, data }) => data.payload ?? type)).toEqual(['following', 0, 1, 2]);
    after.close();
    const lost = await at.open(query, 'gone:1');
    expect(await lost.until(1)).toMatchObject([{ type: 'gap' }]);
    lost.close();
  });
});

describe.each(SERVERS)('server-sent events on %s', (server) => {
  it('end when the application closes, which they do not hold up', async () => {
    const at = await serveStream({}, server);
    const live = await at.open('tenant=a&channel=*');
    await live.until(1);
    const closed = at.app.close();
    await live.end();
    await closed;
    expect(live.events.map(({ type }) => type)).toEqual(['following']);
    expect([...at.gateway.room.followersOf('a')]).toEqual([]);
  });

  it('leave nothing behind when the client goes while it is being decided', async () => {
    const asked = Promise.withResolvers<void>();
    const verdict = Promise.withResolvers<boolean>();
    const gone = Promise.withResolvers<void>();
    await using at = await serveStream(
      {
        authorize: () => {
          asked.resolve();
          return verdict.promise;
        },
      },
      server,
    );
    (at.app.app.getHttpServer() as HttpServer).on('connection', (socket) =>
      socket.once('close', gone.resolve),
    );
    const stop = new AbortController();
    const answer = fetch(`${at.app.url}/live?tenant=a&channel=*`, { signal: stop.signal });
    await asked.promise;
    stop.abort();
    await expect(answer).rejects.toThrow(/aborted/);
    await gone.promise;
    verdict.resolve(true);
    await rounds();
    expect([...at.gateway.room.followersOf('a')]).toEqual([]);
  });
});

describe('server-sent events', () => {
  it('are counted among those who are present', async () => {
    await using at = await serveStream({ presence: true });
    const live = await at.open('tenant=a&channel=*');
    await live.until(1);
    expect(await at.gateway.presence('a', '*')).toEqual([{ subject: undefined, count: 1 }]);
    expect(await at.gateway.presence('a', 'event/x')).toEqual([]);
    live.close();
  });

  it('are refused where sockets would be', async () => {
    await using at = await serveStream({ authorize: (_, channel) => channel !== '*' || 'not all' });
    expect((await at.open('tenant=a&channel=*')).status).toBe(403);
    expect((await at.open('tenant=a&channel=nothing')).status).toBe(400);
    expect((await at.open('tenant=a')).status).toBe(400);
    expect([...at.gateway.room.followersOf('a')]).toEqual([]);
  });

  it('end when their subject is disconnected, and are told what is revoked', async () => {
    await using at = await serveStream();
    const live = await at.open('tenant=a&channel=event/x&channel=event/y');
    await live.until(1);
    at.gateway.revoke({ tenant: 'a', channel: 'event/x' });
    await at.emit('x', 1);
    await at.emit('y', 2);
    at.gateway.disconnect({ tenant: 'b' });
    const events = await live.until(3);
    expect(events.map(({ type }) => type)).toEqual(['following', 'revoked', 'emission']);
    at.gateway.disconnect({ tenant: 'a' });
    await live.end();
    expect(live.events.at(-1)).toMatchObject({ type: 'closed' });
  });

  it('leave nothing behind when the client goes', async () => {
    await using at = await serveStream();
    const live = await at.open('tenant=a&channel=*');
    await live.until(1);
    expect([...at.gateway.room.followersOf('a')]).toHaveLength(1);
    live.close();
    while ([...at.gateway.room.followersOf('a')].length > 0) {
      // oxlint-disable-next-line no-await-in-loop
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect([...at.gateway.room.followersOf('a')]).toEqual([]);
  });
});
