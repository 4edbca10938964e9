import { EventEmitter } from 'node:events';
import { describe, expect, it, jest } from '@jest/globals';
import { io, type Socket } from 'socket.io-client';
import { connect, type LiveClient, type LiveClientOptions } from 'nestjs-emissions/client';
import { EmissionsGateway, type GatewayOptions } from 'nestjs-emissions/gateway';
import { authenticate, serveGateway } from '../support/gateway.js';
import { until } from '../support/until.js';

/** An application with a gateway, and clients of it. */
async function serveClients(options: Partial<GatewayOptions> = {}) {
  const app = await serveGateway({ authenticate, ...options });
  const sockets: Socket[] = [];
  return {
    url: app.url,
    gateway: app.app.get(EmissionsGateway),
    emit: (name: string, payload: unknown) =>
      app.emissions.run(() => app.emissions.emit(name, payload, { orgId: 'a' })),
    settled: () => app.emissions.settled(),
    follow(clientOptions?: LiveClientOptions): { live: LiveClient; socket: Socket } {
      const socket = io(app.url, {
        auth: { tenant: 'a', subject: 'ann' },
        transports: ['websocket'],
        forceNew: true,
        reconnectionDelay: 1,
        reconnectionDelayMax: 5,
      });
      sockets.push(socket);
      return { live: connect(socket, clientOptions), socket };
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.close();
      await app.close();
    },
  };
}

/** What a channel's handlers and listeners are told, in order. */
function told(live: LiveClient, name: string): unknown[] {
  const all: unknown[] = [];
  const channel = live.channel<string>(name);
  channel.on(({ payload }) => all.push(payload));
  channel.onGap(() => all.push('gap'));
  channel.onRefused(({ code }) => all.push(code));
  return all;
}

/** Cuts its connection, and waits until that is known. */
async function cut(socket: Socket): Promise<void> {
  const gone = new Promise((resolve) => socket.once('disconnect', resolve));
  socket.io.engine.close();
  await gone;
}

describe('a client', () => {
  it('gives each of its channels an emission once, and the same channel for the same name', async () => {
    await using at = await serveClients();
    const { live } = at.follow();
    const all = told(live, '*');
    const orders = told(live, 'topic/orders');
    const created = told(live, 'event/order.created');
    expect(live.channel('*')).toBe(live.channel('*'));
    await Promise.all([live.channel('*').ready, live.channel('event/order.created').ready]);
    await at.emit('order.created', 1);
    await at.emit('order.shipped', 2);
    await at.emit('other', 3);
    await until(() => all.length === 3);
    expect([all, orders, created]).toEqual([[1, 2, 3], [1, 2], [1]]);
    expect(live.channel('topic/orders').offset).toBe(live.channel('*').offset);
  });

  it('gets on each channel what it missed, in order and once, when it comes back', async () => {
    await using at = await serveClients();
    const { live, socket } = at.follow();
    const { live: other } = at.follow();
    const seen = told(other, '*');
    const names = ['*', 'topic/orders', 'event/other'];
    const lists = names.map((name) => told(live, name));
    const states: string[] = [];
    live.channel('*').onState((state) => states.push(state));
    await Promise.all([...names.map((name) => live.channel(name).ready), other.channel('*').ready]);
    await at.emit('order.created', 1);
    await until(() => lists[1]!.length === 1);
    socket.io.reconnection(false);
    await cut(socket);
    for (const [n, name] of ['order.shipped', 'other', 'order.created'].entries())
      await at.emit(name, n + 2);
    await until(() => seen.length === 4);
    socket.connect();
    await until(() => names.every((name) => live.channel(name).state === 'following'));
    await at.emit('other', 5);
    await until(() => lists[2]!.length === 2);
    expect(lists).toEqual([
      [1, 2, 3, 4, 5],
      [1, 2, 4],
      [3, 5],
    ]);
    expect(states).toEqual(['following', 'pending', 'following']);
  });

  it('tells of a gap when nobody has any more what it missed', async () => {
    await using at = await serveClients({ history: { size: 1 } });
    const { live, socket } = at.follow();
    const { live: other } = at.follow();
    const seen = told(other, '*');
    const all = told(live, '*');
    await Promise.all([live.channel('*').ready, other.channel('*').ready]);
    await at.emit('x', 1);
    await until(() => all.length === 1);
    socket.io.reconnection(false);
    await cut(socket);
    for (const n of [2, 3, 4]) await at.emit('x', n);
    await until(() => seen.length === 4);
    socket.connect();
    await until(() => live.channel('*').state === 'following');
    await at.emit('x', 5);
    await until(() => all.length === 3);
    expect(all).toEqual([1, 'gap', 5]);
  });

  it('tells why a channel is refused, and of a gap when it is followed again', async () => {
    const may = new Set(['*', 'topic/orders']);
    await using at = await serveClients({ authorize: (_, channel) => may.has(channel) });
    const { live } = at.follow();
    const all = told(live, '*');
    const orders = told(live, 'topic/orders');
    const never = told(live, 'event/never');
    await Promise.all([live.channel('*').ready, live.channel('topic/orders').ready]);
    await until(() => never.length === 1);
    expect(never).toEqual(['EMISSIONS_CHANNEL_DENIED']);
    await at.emit('order.created', 1);
    await until(() => orders.length === 1);
    at.gateway.revoke({ tenant: 'a', channel: 'topic/orders' });
    await until(() => orders.length === 2);
    // It comes on the other channel, and would not be brought a second time.
    await at.emit('order.created', 2);
    await until(() => all.length === 2);
    const channel = live.channel('topic/orders');
    expect(channel.state).toBe('pending');
    await until(() => channel.state === 'following');
    await at.emit('order.created', 3);
    await until(() => orders.length === 4);
    expect(orders).toEqual([1, 'EMISSIONS_CHANNEL_REVOKED', 'gap', 3]);
    expect(all).toEqual([1, 2, 3]);
  });

  it('asks again for what was too much at once', async () => {
    await using at = await serveClients({ maxChannels: 2, maxRequestsPerSecond: 200 });
    const { live, socket } = at.follow({ retryMs: 5 });
    const all = told(live, '*');
    await live.channel('*').ready;
    for (let i = 0; i < 60; i++) socket.emit('unsubscribe', { channel: 'event/x' }, () => {});
    const late = live.channel('event/y');
    await late.ready;
    await at.emit('y', 1);
    await until(() => all.length === 1);
    expect(late.state).toBe('following');
  });

  it('tells why the server ends the connection, whatever listeners throw', async () => {
    await using at = await serveClients();
    const errors: unknown[] = [];
    const { live } = at.follow({ onError: (error) => errors.push(error) });
    const closed: unknown[] = [];
    live.onClosed(() => {
      throw new Error('mine');
    });
    live.onClosed(({ code }) => closed.push(code));
    await live.channel('*').ready;
    at.gateway.disconnect({ tenant: 'a' });
    await until(() => closed.length === 1);
    expect(closed).toEqual(['EMISSIONS_DISCONNECTED']);
    expect(errors).toEqual([new Error('mine')]);
  });

  it('leaves channels, and lets go of the socket, which stays connected', async () => {
    await using at = await serveClients();
    const { live, socket } = at.follow();
    const all = told(live, '*');
    const orders = told(live, 'topic/orders');
    const first = live.channel('topic/orders');
    await Promise.all([live.channel('*').ready, first.ready]);
    await at.emit('order.created', 1);
    await until(() => orders.length === 1);
    first.leave();
    first.leave();
    expect(first.state).toBe('left');
    await at.emit('order.created', 2);
    await until(() => all.length === 2);
    const anew = told(live, 'topic/orders');
    expect(live.channel('topic/orders')).not.toBe(first);
    await live.channel('topic/orders').ready;
    await at.emit('order.created', 3);
    await until(() => anew.length === 1);
    expect([orders, anew]).toEqual([[1], [3]]);
    live.close();
    expect(socket.connected).toBe(true);
    expect(socket.listeners('emissions')).toEqual([]);
    await until(() => [...at.gateway.server!.sockets.values()][0]!.rooms.size === 1);
    expect(all).toEqual([1, 2, 3]);
  });

  it('calls every handler, whatever others throw or stop, and the console where nobody listens', async () => {
    await using at = await serveClients();
    const log = jest.spyOn(console, 'error').mockImplementation(() => {});
    const { live } = at.follow();
    const channel = live.channel('*');
    const got: unknown[] = [];
    channel.on(() => {
      throw new Error('mine');
    });
    const stop = channel.on(({ payload }) => got.push(['once', payload]));
    channel.on(({ payload }) => {
      stop();
      got.push(payload);
    });
    await channel.ready;
    await at.emit('x', 1);
    await at.emit('x', 2);
    await until(() => got.length === 3);
    expect(got).toEqual([['once', 1], 1, 2]);
    expect(log.mock.calls).toEqual([[new Error('mine')], [new Error('mine')]]);
    log.mockRestore();
  });
});

describe('a client whose connection changes while it asks', () => {
  /** A socket that answers when it is told. */
  function socket() {
    const emitter = new EventEmitter();
    const asked: { channel: string; after?: string; answer: (answer: object) => void }[] = [];
    const wire = Object.assign(new EventEmitter(), {
      connected: false,
      emit: (_: string, request: { channel: string }, answer: (given: object) => void) =>
        void asked.push({ ...request, answer }),
    });
    return {
      wire,
      asked,
      become(connected: boolean) {
        wire.connected = connected;
        emitter.emit.call(wire, connected ? 'connect' : 'disconnect');
      },
      bring: (event: string, ...args: unknown[]) => emitter.emit.call(wire, event, ...args),
    };
  }
  const item = (offset: number, epoch = 'e') => ({ payload: offset, offset: `${epoch}:${offset}` });

  it('takes no answer of one that is over, nor what came with it', () => {
    const { wire, asked, become, bring } = socket();
    const live = connect(wire);
    const all = told(live, '*');
    become(true);
    bring('emissions', [item(8)], ['*']);
    become(false);
    become(true);
    asked[0]!.answer({ ok: true, offset: 'e:7', recovered: true });
    expect(live.channel('*').state).toBe('pending');
    bring('emissions', [item(9)], ['*']);
    asked[1]!.answer({ ok: true, offset: 'e:8', recovered: true });
    expect([all, live.channel('*').offset]).toEqual([[9], 'e:9']);
    become(false);
    become(true);
    expect(asked[2]).toMatchObject({ channel: '*', after: 'e:9' });
  });

  it('puts in order what several channels missed, and leaves out what it has', () => {
    const { wire, asked, become, bring } = socket();
    const live = connect(wire);
    const all = told(live, '*');
    become(true);
    bring('emissions', [item(3), item(5)], [['*'], ['*', 'topic/t']]);
    bring('emissions', [item(4), item(5)], [['*'], ['*']]);
    asked[0]!.answer({ ok: true, offset: 'e:5', recovered: true });
    bring('emissions', [item(5), item(6)], ['*']);
    expect(all).toEqual([3, 4, 5, 6]);
  });

  it('goes on behind a gap that the server tells of', () => {
    const { wire, asked, become, bring } = socket();
    const live = connect(wire);
    const all = told(live, '*');
    become(true);
    asked[0]!.answer({ ok: true, offset: 'e:5', recovered: true });
    bring('gap', { offset: 'f:0' });
    bring('emissions', [item(1, 'f')], ['*']);
    expect(all).toEqual(['gap', 1]);
    become(false);
    become(true);
    expect(asked[1]).toMatchObject({ after: 'f:1' });
  });
});
