import { describe, expect, it } from '@jest/globals';
import { ConfigurationError } from 'nestjs-emissions';
import { EmissionsGateway, type GatewayOptions } from 'nestjs-emissions/gateway';
import { authenticate, serveGateway } from '../support/gateway.js';
import { listen } from '../support/signals.js';
import { connect, type Client } from '../support/sockets.js';

async function serveRights(options: Partial<GatewayOptions> = {}) {
  const app = await serveGateway({ authenticate, ...options });
  return {
    app,
    url: app.url,
    gateway: app.app.get(EmissionsGateway),
    emit: (name: string, orgId = 'a') =>
      app.emissions.run(() => app.emissions.emit(name, {}, { orgId })),
    [Symbol.asyncDispose]: () => app.close(),
  };
}

const next = (client: Client, event: string) =>
  new Promise<any>((resolve) => client.socket.once(event, resolve));

describe('rights that change', () => {
  it('are revoked at once, for a subject, a channel, or all', async () => {
    await using at = await serveRights();
    using ann = await connect(at.url, { tenant: 'a', subject: 'ann' });
    using bob = await connect(at.url, { tenant: 'a', subject: 'bob' });
    for (const client of [ann, bob]) {
      await client.ask('subscribe', { channel: 'event/x' });
      await client.ask('subscribe', { channel: 'event/y' });
    }
    const told = next(ann, 'revoked');
    at.gateway.revoke({ tenant: 'a', subject: 'ann', channel: 'event/x' });
    await at.emit('x');
    await at.emit('y');
    await bob.until(2);
    await ann.until(1);
    expect(await told).toEqual({
      channel: 'event/x',
      message: 'the right to follow it was revoked.',
    });
    expect([ann.names, bob.names]).toEqual([['y'], ['x', 'y']]);
    at.gateway.revoke({ tenant: 'a' });
    await at.emit('y');
    await bob.ask('subscribe', { channel: 'event/z' });
    expect([ann.names, bob.names]).toEqual([['y'], ['x', 'y']]);
  });

  it('are decided anew for a request that was being decided when they were revoked', async () => {
    const asked: ((verdict: boolean) => void)[] = [];
    const second = Promise.withResolvers<void>();
    const first = Promise.withResolvers<void>();
    await using at = await serveRights({
      authorize: () =>
        new Promise<boolean>((resolve) => {
          (asked.push(resolve) === 1 ? first : second).resolve();
        }),
    });
    using client = await connect(at.url, { tenant: 'a', subject: 'ann' });
    const answer = client.ask('subscribe', { channel: '*' });
    await first.promise;
    at.gateway.revoke({ tenant: 'a', subject: 'ann' });
    asked[0]!(true);
    await second.promise;
    asked[1]!(false);
    expect(await answer).toMatchObject({ ok: false });
  });

  it('follow from a new identity: what it may not follow it leaves, the rest goes on', async () => {
    await using at = await serveRights({
      authorize: (identity, channel) =>
        channel !== 'event/secret' ||
        identity.subject !== 'ann' ||
        'expiresAt' in identity === false
          ? true
          : 'ann may not any more',
    });
    using ann = await connect(at.url, { tenant: 'a', subject: 'ann' });
    for (const channel of ['event/secret', 'event/x']) await ann.ask('subscribe', { channel });
    const told = next(ann, 'revoked');
    using log = listen('emissions:gateway:denied');
    await at.gateway.refresh({ tenant: 'a', subject: 'ann', expiresAt: Date.now() + 60_000 });
    expect(await told).toMatchObject({
      channel: 'event/secret',
      message: "The channel 'event/secret' is denied: ann may not any more",
    });
    expect(log.all).toHaveLength(1);
    await at.emit('secret');
    await at.emit('x');
    await ann.until(1);
    expect(ann.names).toEqual(['x']);
  });

  it('end a connection for those who are disconnected, and for no others', async () => {
    await using at = await serveRights();
    using ann = await connect(at.url, { tenant: 'a', subject: 'ann' });
    using other = await connect(at.url, { tenant: 'b', subject: 'ann' });
    const told = next(ann, 'closed');
    const gone = next(ann, 'disconnect');
    at.gateway.disconnect({ tenant: 'a', subject: 'ann' });
    expect(await told).toMatchObject({ code: 'EMISSIONS_DISCONNECTED' });
    expect(await gone).toBe('io server disconnect');
    expect(await other.ask('subscribe', { channel: '*' })).toMatchObject({ ok: true });
  });

  it('give a new identity to those alone who are who it says', async () => {
    await using at = await serveRights();
    using ann = await connect(at.url, { tenant: 'a', subject: 'ann' });
    using nobody = await connect(at.url, { tenant: 'a' });
    const expiresAt = Date.now() + 60_000;
    await at.gateway.refresh({ tenant: 'a', expiresAt });
    const identityOf = ({ socket }: Client) =>
      at.gateway.identityOf(at.gateway.server!.sockets.get(socket.id!)!);
    expect(identityOf(ann)).toEqual({ tenant: 'a', subject: 'ann' });
    expect(identityOf(nobody)).toEqual({ tenant: 'a', expiresAt });
  });

  it('concern those as well of whom it is being found out who they are', async () => {
    const asked: (() => void)[] = [];
    const arrived = Array.from({ length: 3 }, () => Promise.withResolvers<void>());
    await using at = await serveRights({
      authenticate: async (socket) => {
        const identity = authenticate(socket);
        await new Promise<void>((resolve) => arrived[asked.push(resolve) - 1]!.resolve());
        return identity;
      },
    });
    const [ann, bob, eve] = ['ann', 'bob', 'eve'].map((subject) =>
      connect(at.url, { tenant: 'a', subject }),
    );
    await Promise.all(arrived.map(({ promise }) => promise));
    at.gateway.disconnect({ tenant: 'a', subject: 'ann' });
    at.gateway.revoke({ tenant: 'a', subject: 'eve' });
    const expiresAt = Date.now() + 60_000;
    await at.gateway.refresh({ tenant: 'a', subject: 'bob', expiresAt });
    for (const go of asked) go();
    await expect(ann).rejects.toThrow(/ended by the application meanwhile/);
    using refreshed = (await bob)!;
    using revoked = (await eve)!;
    const { sockets } = at.gateway.server!;
    expect(at.gateway.identityOf(sockets.get(refreshed.socket.id!)!)).toEqual({
      tenant: 'a',
      subject: 'bob',
      expiresAt,
    });
    expect(await revoked.ask('subscribe', { channel: '*' })).toMatchObject({ ok: true });
  });

  it('end with what they were authenticated with, unless that is refreshed before', async () => {
    await using at = await serveRights({
      authenticate: (socket) => ({ ...authenticate(socket), expiresAt: Date.now() + 30 }),
    });
    using ann = await connect(at.url, { tenant: 'a', subject: 'ann' });
    const { code } = await next(ann, 'closed');
    expect(code).toBe('EMISSIONS_IDENTITY_EXPIRED');
  });

  it.each([[undefined], [{}], [{ subject: 'ann' }], [{ tenant: 1 }]])(
    'are not changed for %j, which would be everybody or nobody',
    async (filter) => {
      await using at = await serveRights();
      expect(() => at.gateway.disconnect(filter as never)).toThrow(ConfigurationError);
      expect(() => at.gateway.revoke(filter as never)).toThrow(ConfigurationError);
      await expect(at.gateway.refresh(filter as never)).rejects.toThrow(ConfigurationError);
    },
  );
});

describe("channels of the application's own", () => {
  it('carry what the option channels puts on them', async () => {
    await using at = await serveRights({
      channels: ({ payload }) => (payload as { ids?: string[] }).ids ?? [],
    });
    using one = await connect(at.url, { tenant: 'a' });
    expect(await one.ask('subscribe', { channel: 'entity/order/1' })).toMatchObject({ ok: true });
    const frames: unknown[] = [];
    one.socket.on('emissions', (_, channels) => frames.push(channels));
    await at.app.emissions.run(() => {
      at.app.emissions.emit('x', { ids: ['entity/order/2'] }, { orgId: 'a' });
      at.app.emissions.emit('x', { ids: ['entity/order/1', 'entity/order/1'] }, { orgId: 'a' });
      at.app.emissions.emit('x', { ids: ['entity/order/1'] }, { orgId: 'b' });
    });
    await one.until(1);
    expect(frames).toEqual([['*', 'event/x', 'entity/order/1']]);
  });

  it.each([['*'], ['event/x'], ['entity/order'], ['entity//1'], ['entity/order/a b'], [7]])(
    'are not called %j: that emission fails alone',
    async (name) => {
      await using at = await serveRights({
        channels: ({ payload }) => (payload as { ids?: string[] }).ids ?? [],
      });
      using log = listen('emissions:adapter:failed');
      using client = await connect(at.url, { tenant: 'a' });
      await client.ask('subscribe', { channel: '*' });
      await at.app.emissions.run(() => {
        at.app.emissions.emit('bad', { ids: [name] }, { orgId: 'a' });
        at.app.emissions.emit('good', {}, { orgId: 'a' });
      });
      await client.until(1);
      await at.app.emissions.settled();
      expect(client.names).toEqual(['good']);
      expect(log.all).toHaveLength(1);
    },
  );
});

describe('presence', () => {
  it('tells those who follow a channel who else does', async () => {
    await using at = await serveRights({ presence: true });
    using one = await connect(at.url, { tenant: 'a', subject: 'ann' });
    using two = await connect(at.url, { tenant: 'a', subject: 'ann' });
    using three = await connect(at.url, { tenant: 'a', subject: 'bob' });
    using four = await connect(at.url, { tenant: 'b', subject: 'eve' });
    expect(await one.ask('presence', { channel: '*' })).toMatchObject({ ok: false });
    for (const client of [one, two, three, four]) await client.ask('subscribe', { channel: '*' });
    const present = [
      { subject: 'ann', count: 2 },
      { subject: 'bob', count: 1 },
    ];
    expect(await one.ask('presence', { channel: '*' })).toEqual({
      ok: true,
      channel: '*',
      present,
    });
    expect(await at.gateway.presence('a', '*')).toEqual(present);
  });

  it('is off unless it is asked for', async () => {
    await using at = await serveRights();
    using client = await connect(at.url, { tenant: 'a' });
    await client.ask('subscribe', { channel: '*' });
    expect(await client.ask('presence', { channel: '*' })).toMatchObject({ ok: false });
    await expect(at.gateway.presence('a', '*')).rejects.toThrow(/presence: true/);
  });
});
