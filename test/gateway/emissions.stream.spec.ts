import { describe, expect, it } from '@jest/globals';
import { Controller, Inject, Req, Sse } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';
import { EmissionsModule } from 'nestjs-emissions';
import {
  EmissionsGateway,
  EmissionsGatewayModule,
  EmissionsStream,
  type GatewayOptions,
} from 'nestjs-emissions/gateway';
import { serve, SERVERS, type Server } from '../support/app.js';
import { authenticate, TENANTS } from '../support/gateway.js';

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

interface Event {
  readonly type: string;
  readonly id: string | undefined;
  readonly data: any;
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
    async open(query: string, last?: string) {
      const stop = new AbortController();
      const response = await fetch(`${app.url}/live?${query}`, {
        signal: stop.signal,
        headers: last === undefined ? {} : { 'last-event-id': last },
      });
      const events: Event[] = [];
      const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
      let text = '';
      const read = async (): Promise<boolean> => {
        const { done, value = '' } = await reader.read();
        text += value;
        const blocks = text.split('\n\n');
        text = blocks.pop()!;
        for (const block of blocks) {
          const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1];
          const data = field('data');
          if (data !== undefined && field('event') !== undefined)
            events.push({ type: field('event')!, id: field('id'), data: JSON.parse(data) });
        }
        return !done;
      };
      return {
        status: response.status,
        events,
        async until(count: number): Promise<Event[]> {
          // oxlint-disable-next-line no-await-in-loop
          while (events.length < count && (await read()));
          return events;
        },
        async end(): Promise<void> {
          // oxlint-disable-next-line no-await-in-loop
          while (await read());
        },
        close: () => stop.abort(),
      };
    },
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
    const [{ id }] = (await before.until(1)) as [Event];
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

describe('server-sent events', () => {
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
