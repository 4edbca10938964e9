import { describe, expect, it } from '@jest/globals';
import { WsException } from '@nestjs/websockets';
import { EmissionsGateway, type GatewayOptions } from 'nestjs-emissions/gateway';
import { authenticate, serveGateway } from '../support/gateway.js';
import { listen } from '../support/signals.js';
import { connect } from '../support/sockets.js';
import { rounds, until } from '../support/until.js';

describe('channels', () => {
  it('carry everything, a topic, or one name of the tenant', async () => {
    await using app = await serveGateway();
    using all = await connect(app.url, { tenant: 'a' });
    using topic = await connect(app.url, { tenant: 'a' });
    using name = await connect(app.url, { tenant: 'a' });
    expect(await all.ask('subscribe', { channel: '*' })).toMatchObject({ ok: true, channel: '*' });
    expect(await topic.ask('subscribe', { channel: 'topic/orders' })).toMatchObject({ ok: true });
    expect(await name.ask('subscribe', { channel: 'event/order.shipped' })).toMatchObject({
      ok: true,
    });
    await app.emissions.run(() => {
      for (const emitted of [
        'order.created',
        'order.shipped',
        'user.created',
        'unrelated',
        'orders',
      ]) {
        app.emissions.emit(emitted, {}, { orgId: 'a' });
      }
    });
    await all.until(5);
    await topic.until(2);
    await name.until(1);
    expect(all.names).toEqual([
      'order.created',
      'order.shipped',
      'user.created',
      'unrelated',
      'orders',
    ]);
    expect(topic.names).toEqual(['order.created', 'order.shipped']);
    expect(name.names).toEqual(['order.shipped']);
  });

  it('give a socket each emission once, however many of its channels carry it', async () => {
    await using app = await serveGateway();
    using client = await connect(app.url, { tenant: 'a' });
    for (const channel of ['*', 'topic/orders', 'event/order.created'])
      await client.ask('subscribe', { channel });
    await app.emissions.run(() => {
      app.emissions.emit('order.created', 1, { orgId: 'a' });
      app.emissions.emit('last', 2, { orgId: 'a' });
    });
    await client.until(2);
    expect(client.names).toEqual(['order.created', 'last']);
  });

  it('belong to one tenant: nobody hears another one', async () => {
    await using app = await serveGateway();
    using a = await connect(app.url, { tenant: 'a' });
    using b = await connect(app.url, { tenant: 'b' });
    for (const client of [a, b]) {
      for (const channel of ['*', 'topic/orders', 'event/order.created'])
        await client.ask('subscribe', { channel });
    }
    await app.emissions.run(() => {
      app.emissions.emit('order.created', { of: 'a' }, { orgId: 'a' });
      app.emissions.emit('order.created', { of: 'b' }, { orgId: 'b' });
    });
    await a.until(1);
    await b.until(1);
    expect(a.received.map(({ payload }) => payload)).toEqual([{ of: 'a' }]);
    expect(b.received.map(({ payload }) => payload)).toEqual([{ of: 'b' }]);
  });

  it('cannot be reached into by tenants or channels made up like rooms', async () => {
    await using app = await serveGateway();
    using crafty = await connect(app.url, { tenant: 'a:*' });
    using victim = await connect(app.url, { tenant: 'a' });
    await victim.ask('subscribe', { channel: '*' });
    await crafty.ask('subscribe', { channel: '*' });
    for (const channel of [
      'emissions:1:a:*',
      'topic/../*',
      '1:a:*',
      'event/',
      'topic/',
      'event/a*',
      'other/x',
      '',
    ]) {
      expect(await crafty.ask('subscribe', { channel })).toMatchObject({
        ok: false,
        error: { code: 'EMISSIONS_CHANNEL_INVALID' },
      });
    }
    await app.emissions.run(() => {
      app.emissions.emit('secret', {}, { orgId: 'a' });
      app.emissions.emit('own', {}, { orgId: 'a:*' });
    });
    await crafty.until(1);
    await victim.until(1);
    expect(crafty.names).toEqual(['own']);
    expect(victim.names).toEqual(['secret']);
  });

  it('carry what a consumer batch holds for the same rooms in one frame, in order', async () => {
    await using app = await serveGateway();
    using client = await connect(app.url, { tenant: 'a' });
    await client.ask('subscribe', { channel: '*' });
    await app.emissions.run(() => {
      for (const n of [1, 2, 3]) app.emissions.emit('order.created', n, { orgId: 'a' });
      app.emissions.emit('order.shipped', 4, { orgId: 'a' });
      app.emissions.emit('order.created', 5, { orgId: 'a' });
    });
    await client.until(5);
    expect(client.frames.map((frame) => frame.map(({ payload }) => payload))).toEqual([
      [1, 2, 3],
      [4],
      [5],
    ]);
  });

  it('carry nothing that has no tenant, and that is signalled', async () => {
    await using app = await serveGateway();
    using log = listen('emissions:emission:dropped');
    using client = await connect(app.url, { tenant: 'a' });
    await client.ask('subscribe', { channel: '*' });
    await app.emissions.run(() => {
      app.emissions.emit('of.nobody', {});
      app.emissions.emit('of.a', {}, { orgId: 'a' });
    });
    await client.until(1);
    expect(client.names).toEqual(['of.a']);
    expect(log.of('emissions:emission:dropped')).toEqual([
      { reason: 'no-tenant', emission: 'of.nobody', count: 1, consumer: 'gateway' },
    ]);
  });

  it('can be left: nothing further comes', async () => {
    await using app = await serveGateway();
    using client = await connect(app.url, { tenant: 'a' });
    await client.ask('subscribe', { channel: 'event/left' });
    await client.ask('subscribe', { channel: 'event/kept' });
    expect(await client.ask('unsubscribe', { channel: 'event/left' })).toMatchObject({
      ok: true,
      channel: 'event/left',
    });
    expect(await client.ask('unsubscribe', { channel: 'event/never' })).toMatchObject({ ok: true });
    await app.emissions.run(() => {
      app.emissions.emit('left', {}, { orgId: 'a' });
      app.emissions.emit('kept', {}, { orgId: 'a' });
    });
    await client.until(1);
    expect(client.names).toEqual(['kept']);
  });

  it('tell a client that subscribes where they stand, and honestly whether it missed something', async () => {
    await using app = await serveGateway();
    using client = await connect(app.url, { tenant: 'a' });
    expect(await client.ask('subscribe', { channel: '*' })).toEqual({
      ok: true,
      channel: '*',
      offset: expect.stringMatching(/^[\w-]+:0$/),
      recovered: true,
    });
    const emit = () => app.emissions.run(() => app.emissions.emit('tick', {}, { orgId: 'a' }));
    await emit();
    const { offset } = (await client.until(1))[0]!;
    expect(await client.ask('subscribe', { channel: '*', after: offset })).toEqual({
      ok: true,
      channel: '*',
      offset,
      recovered: true,
    });
    expect(offset).toMatch(/:1$/);
    expect(await client.ask('subscribe', { channel: '*', after: 'made:1' })).toMatchObject({
      recovered: false,
    });
  });
});

describe('a connection', () => {
  it('is refused when authenticate throws, with the reason', async () => {
    await using app = await serveGateway();
    using log = listen('emissions:gateway:refused');
    await expect(connect(app.url)).rejects.toMatchObject({
      message: 'The connection is refused: no token',
      data: { code: 'EMISSIONS_CONNECTION_REFUSED' },
    });
    expect(log.all).toHaveLength(1);
  });

  it.each([[undefined], [null], [''], [7], [{}]])(
    'is refused when authenticate gives %p as the tenant',
    async (tenant) => {
      await using app = await serveGateway({ authenticate: () => ({ tenant }) as never });
      await expect(connect(app.url)).rejects.toThrow(/authentication must give \{ tenant/);
    },
  );

  it('is refused when authenticate takes too long', async () => {
    await using app = await serveGateway({
      authenticate: () => new Promise<never>(() => {}),
      authenticateTimeoutMs: 20,
    });
    await expect(connect(app.url)).rejects.toThrow(/authentication took longer than 20 ms/);
  });

  it('is signalled with its tenant and subject', async () => {
    await using app = await serveGateway();
    using log = listen('emissions:gateway:connected', 'emissions:gateway:subscribed');
    using client = await connect(app.url, { tenant: 'a', subject: 'ann' });
    await client.ask('subscribe', { channel: '*' });
    expect(log.of('emissions:gateway:connected')).toEqual([
      { socket: expect.any(String), tenant: 'a', subject: 'ann' },
    ]);
    expect(log.of('emissions:gateway:subscribed')).toEqual([
      { socket: expect.any(String), tenant: 'a', channel: '*' },
    ]);
  });

  it('may follow as many channels as maxChannels says', async () => {
    await using app = await serveGateway({ authenticate, maxChannels: 2 });
    using client = await connect(app.url, { tenant: 'a' });
    for (const channel of ['event/a', 'event/b', 'event/a']) {
      expect(await client.ask('subscribe', { channel })).toMatchObject({ ok: true });
    }
    expect(await client.ask('subscribe', { channel: 'event/c' })).toMatchObject({
      ok: false,
      error: {
        code: 'EMISSIONS_CHANNEL_DENIED',
        message: expect.stringContaining('may follow 2 channels'),
      },
    });
    await client.ask('unsubscribe', { channel: 'event/a' });
    expect(await client.ask('subscribe', { channel: 'event/c' })).toMatchObject({ ok: true });
  });

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['a string', '*'],
    ['an array', ['*']],
    ['no channel', {}],
    ['a channel that is an object', { channel: { toString: 'x' } }],
    ['a tenant of its own choice', { channel: '*', tenant: 'b' }],
    ['a channel of a megabyte', { channel: `event/${'x'.repeat(999_000)}` }],
    ['an offset that is a number', { channel: '*', after: 1 }],
    ['a prototype key', JSON.parse('{"channel":"*","__proto__x":1}')],
  ])('that sends %s is told so, and lives', async (_, message) => {
    await using app = await serveGateway();
    using log = listen('emissions:gateway:denied');
    using client = await connect(app.url, { tenant: 'a' });
    const answer = await client.ask('subscribe', message);
    expect(answer).toMatchObject({ ok: false, error: { code: 'EMISSIONS_CHANNEL_INVALID' } });
    expect(answer.error.message.length).toBeLessThan(400);
    expect(log.all).toHaveLength(1);
    expect(await client.ask('subscribe', { channel: '*' })).toMatchObject({ ok: true });
  });
});

describe('authorize', () => {
  it('gets the identity and the channel, and decides', async () => {
    const asked: unknown[] = [];
    await using app = await serveGateway({
      authenticate,
      authorize: async (identity, channel) => {
        asked.push([identity, channel]);
        if (channel === 'event/thrown') throw new WsException('not today');
        return channel !== 'event/refused';
      },
    });
    using client = await connect(app.url, { tenant: 'a', subject: 'ann' });
    expect(await client.ask('subscribe', { channel: 'event/allowed' })).toMatchObject({ ok: true });
    expect(await client.ask('subscribe', { channel: 'event/refused' })).toEqual({
      ok: false,
      error: {
        code: 'EMISSIONS_CHANNEL_DENIED',
        message: "The channel 'event/refused' is denied: not authorized.",
      },
    });
    expect(await client.ask('subscribe', { channel: 'event/thrown' })).toMatchObject({
      ok: false,
      error: { message: "The channel 'event/thrown' is denied: not today" },
    });
    expect(asked[0]).toEqual([{ tenant: 'a', subject: 'ann' }, 'event/allowed']);
    await app.emissions.run(() => {
      for (const name of ['refused', 'thrown', 'allowed'])
        app.emissions.emit(name, {}, { orgId: 'a' });
    });
    await client.until(1);
    expect(client.names).toEqual(['allowed']);
  });

  it('cannot join a socket that left meanwhile', async () => {
    let decide: (allowed: boolean) => void = () => {};
    const deciding = Promise.withResolvers<void>();
    await using app = await serveGateway({
      authenticate,
      authorize: () => {
        deciding.resolve();
        return new Promise<boolean>((resolve) => (decide = resolve));
      },
    });
    const { server } = app.app.get(EmissionsGateway);
    const client = await connect(app.url, { tenant: 'a' });
    client.socket.emit('subscribe', { channel: '*' });
    await deciding.promise;
    const gone = new Promise((resolve) =>
      [...server!.sockets.values()][0]!.once('disconnect', resolve),
    );
    client.socket.close();
    await gone;
    using log = listen('emissions:gateway:denied');
    decide(true);
    await new Promise(setImmediate);
    expect(log.all).toHaveLength(1);
    expect(server!.adapter.rooms.size).toBe(0);
  });
});

describe('what a client asks about one channel', () => {
  /** A gateway whose authorization of `topic/slow` takes until the test decides, each time. */
  async function slowly(options: Partial<GatewayOptions> = {}) {
    const decisions: ((allowed: boolean) => void)[] = [];
    const app = await serveGateway({
      authenticate,
      authorize: (_, channel) =>
        channel !== 'topic/slow' || new Promise((resolve) => decisions.push(resolve)),
      ...options,
    });
    const { server } = app.app.get(EmissionsGateway);
    return {
      connect: () => connect(app.url, { tenant: 'a' }),
      decisions,
      decide: async (allowed: boolean) => {
        await until(() => decisions.length > 0);
        decisions.shift()!(allowed);
      },
      /** How many channels are followed, by anybody. */
      get followed() {
        return [...server!.adapter.rooms.keys()].filter((room) => room.startsWith('emissions:'))
          .length;
      },
      socket: () => [...server!.sockets.values()][0]!,
      [Symbol.asyncDispose]: () => app.close(),
    };
  }
  const slow = { channel: 'topic/slow' };

  it.each([
    ['subscribe, unsubscribe', 1, 0],
    ['subscribe, unsubscribe, subscribe', 2, 1],
    ['subscribe, subscribe, unsubscribe', 1, 0],
    ['subscribe, unsubscribe, unsubscribe, subscribe', 2, 1],
  ])('is done in the order it is asked: %s', async (asked, decisions, followed) => {
    await using at = await slowly();
    using client = await at.connect();
    const messages = asked.split(', ');
    const answered: string[] = [];
    const answers = messages.map(async (message) => {
      expect(await client.ask(message, slow)).toMatchObject({ ok: true });
      answered.push(message);
    });
    // Another channel is not held up.
    expect(await client.ask('subscribe', { channel: '*' })).toMatchObject({ ok: true });
    expect([at.followed, answered]).toEqual([1, []]);
    for (let n = 0; n < decisions; n++) {
      // oxlint-disable-next-line no-await-in-loop
      await at.decide(true);
    }
    await Promise.all(answers);

    expect(answered).toEqual(messages);
    expect(at.followed - 1).toBe(followed);
    expect(at.decisions).toEqual([]);
  });

  it('is no longer decided on when it has disconnected in between', async () => {
    await using at = await slowly();
    using log = listen('emissions:gateway:denied', 'emissions:gateway:subscribed');
    const client = await at.connect();
    for (const message of ['subscribe', 'unsubscribe', 'subscribe'])
      client.socket.emit(message, slow);
    await until(() => at.decisions.length > 0);
    const gone = new Promise((resolve) => at.socket().once('disconnect', resolve));
    client.socket.close();
    await gone;
    await at.decide(true);
    await until(() => log.all.length === 2);

    expect(log.of('emissions:gateway:denied').map(({ error }) => String(error))).toEqual([
      expect.stringContaining('the connection is gone'),
      expect.stringContaining('the connection is gone'),
    ]);
    expect([at.decisions.length, at.followed]).toEqual([0, 0]);
  });

  it('is refused when authorize takes too long, which holds nothing up any longer', async () => {
    await using at = await slowly({ authorizeTimeoutMs: 20 });
    using client = await at.connect();
    const [first, second] = await Promise.all([
      client.ask('subscribe', slow),
      client.ask('unsubscribe', slow),
    ]);

    expect(first).toMatchObject({
      ok: false,
      error: { message: expect.stringContaining('authorization took longer than 20 ms') },
    });
    expect(second).toMatchObject({ ok: true });
    await at.decide(true);
    await rounds();
    expect(at.followed).toBe(0);
  });

  it('is refused when too much of it waits already, until that is answered', async () => {
    await using at = await slowly({ maxChannels: 1 });
    using client = await at.connect();
    const waiting = ['subscribe', 'unsubscribe'].map((message) => client.ask(message, slow));
    expect(await client.ask('unsubscribe', slow)).toMatchObject({
      ok: false,
      error: {
        code: 'EMISSIONS_CHANNEL_DENIED',
        message: expect.stringContaining('2 requests wait for an answer already'),
      },
    });
    await at.decide(true);
    await Promise.all(waiting);

    expect(await client.ask('subscribe', { channel: '*' })).toMatchObject({ ok: true });
  });
});

describe('serialize', () => {
  it('makes what is sent; by default id, name, topic, payload, metadata and time', async () => {
    await using app = await serveGateway();
    using client = await connect(app.url, { tenant: 'a' });
    await client.ask('subscribe', { channel: '*' });
    await app.emissions.run(() =>
      app.emissions.emit(
        'order.created',
        { at: new Date(0), of: new Map([['x', 1n]]) },
        { orgId: 'a' },
      ),
    );
    const [received] = await client.until(1);
    expect(received).toEqual({
      id: expect.any(String),
      name: 'order.created',
      topic: 'orders',
      payload: { at: '1970-01-01T00:00:00.000Z', of: [['x', '1']] },
      metadata: { orgId: 'a' },
      occurredAt: expect.any(Number),
      offset: expect.stringMatching(/:1$/),
    });
  });

  it('may be replaced; one emission that cannot be made or encoded fails alone, and is signalled', async () => {
    await using app = await serveGateway({
      authenticate,
      serialize: ({ payload }) => {
        if (payload === 'bad') throw new Error('unserializable');
        return payload === 'bigint' ? { value: 1n } : payload;
      },
    });
    using log = listen('emissions:adapter:failed');
    using client = await connect(app.url, { tenant: 'a' });
    await client.ask('subscribe', { channel: '*' });
    await app.emissions.run(() => {
      for (const payload of ['first', 'bad', 'bigint', { last: true }])
        app.emissions.emit('x', payload, { orgId: 'a' });
    });
    await client.until(2);
    expect(client.received).toEqual([
      { offset: expect.any(String), data: 'first' },
      { offset: expect.any(String), last: true },
    ]);
    await app.emissions.settled();
    expect(log.of('emissions:adapter:failed')).toMatchObject([{ adapter: 'gateway', count: 2 }]);
  });
});
