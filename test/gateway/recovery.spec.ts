import { describe, expect, it } from '@jest/globals';
import type { GatewayOptions } from 'nestjs-emissions/gateway';
import { authenticate, serveGateway } from '../support/gateway.js';
import { listen } from '../support/signals.js';
import { connect, type Client } from '../support/sockets.js';

const A = { tenant: 'a' };

/** A gateway, with an emission for each number. */
async function serveTicks(options: Partial<GatewayOptions> = {}) {
  const app = await serveGateway({ authenticate, ...options });
  return {
    app,
    url: app.url,
    tick: (numbers: number[], name = 'tick', orgId = 'a') =>
      app.emissions.run(() => {
        for (const n of numbers) app.emissions.emit(name, n, { orgId });
      }),
    [Symbol.asyncDispose]: () => app.close(),
  };
}

const payloads = (client: Client) => client.received.map(({ payload }) => payload as number);

describe('a client that comes back', () => {
  it('gets everything it missed, in order, before anything newer, and nothing twice', async () => {
    await using at = await serveTicks();
    const before = await connect(at.url, A);
    await before.ask('subscribe', { channel: '*' });
    await at.tick([1, 2]);
    const { offset } = (await before.until(2))[1]!;
    before.socket.close();
    await at.tick([3, 4, 5]);
    await at.app.emissions.settled();

    using log = listen('emissions:gateway:recovered');
    using after = await connect(at.url, A);
    const answer = after.ask('subscribe', { channel: '*', after: offset });
    await at.tick([6, 7]);
    expect(await answer).toMatchObject({ ok: true, recovered: true });
    await after.until(5);
    expect(payloads(after)).toEqual([3, 4, 5, 6, 7]);
    expect(log.of('emissions:gateway:recovered')).toMatchObject([
      { tenant: 'a', channel: '*', recovered: true },
    ]);
  });

  it('gets of each channel what that channel carried, once, however many it comes back to', async () => {
    await using at = await serveTicks();
    const before = await connect(at.url, A);
    const { offset } = await before.ask('subscribe', { channel: 'topic/orders' });
    before.socket.close();
    await at.tick([1], 'order.created');
    await at.tick([2], 'other');
    await at.tick([3], 'order.shipped');
    await at.app.emissions.settled();
    using after = await connect(at.url, A);
    for (const channel of ['topic/orders', 'event/order.created', '*']) {
      expect(await after.ask('subscribe', { channel, after: offset })).toMatchObject({
        recovered: true,
      });
    }
    expect(payloads(after)).toEqual([1, 3, 2]);
  });

  it('is told the channels of each emission that is replayed', async () => {
    await using at = await serveTicks();
    const before = await connect(at.url, A);
    const { offset } = await before.ask('subscribe', { channel: '*' });
    before.socket.close();
    await at.tick([1], 'order.created');
    await at.tick([2], 'other');
    await at.app.emissions.settled();
    using after = await connect(at.url, A);
    const frames: unknown[] = [];
    after.socket.on('emissions', (_, channels) => frames.push(channels));
    await after.ask('subscribe', { channel: '*', after: offset });
    await at.tick([3], 'other');
    await after.until(3);
    expect(frames).toEqual([
      [
        ['*', 'event/order.created', 'topic/orders'],
        ['*', 'event/other'],
      ],
      ['*', 'event/other'],
    ]);
  });

  it('is told when some of it is kept no longer, and gets nothing of it', async () => {
    await using at = await serveTicks({ history: { size: 2 } });
    const before = await connect(at.url, A);
    const { offset } = await before.ask('subscribe', { channel: '*' });
    before.socket.close();
    await at.tick([1, 2, 3]);
    await at.app.emissions.settled();
    using log = listen('emissions:gateway:recovered');
    using after = await connect(at.url, A);
    const answer = await after.ask('subscribe', { channel: '*', after: offset });
    expect(answer).toMatchObject({ ok: true, recovered: false });
    await at.tick([4]);
    await after.until(1);
    expect(payloads(after)).toEqual([4]);
    expect(log.all.map(({ message }) => message)).toMatchObject([{ recovered: false, count: 0 }]);
  });

  it('has missed nothing of a channel where nothing happened, whatever was forgotten of others', async () => {
    await using at = await serveTicks({ history: { size: 0 } });
    const before = await connect(at.url, A);
    const { offset } = await before.ask('subscribe', { channel: 'event/quiet' });
    before.socket.close();
    await at.tick([1, 2, 3], 'loud');
    await at.app.emissions.settled();
    using after = await connect(at.url, A);
    const quiet = { channel: 'event/quiet', after: offset };
    expect(await after.ask('subscribe', quiet)).toMatchObject({ recovered: true });
    const loud = { channel: 'event/loud', after: offset };
    expect(await after.ask('subscribe', loud)).toMatchObject({ recovered: false });
  });

  it.each([
    ['of another tenant', async (at: any) => (await foreign(at)).offset],
    ['of another process', () => 'bm90aGluZw:0'],
    ['of the future', async (at: any) => (await foreign(at, 'a')).offset.replace(/\d+$/, '99')],
    ['that is none', () => 'x'],
    ['with a number that is none', () => 'x:1e3'],
    ['too great to count', () => 'x:99999999999999999999'],
  ])('is told so with an offset %s', async (_, offsetOf) => {
    await using at = await serveTicks();
    using client = await connect(at.url, A);
    const after = await offsetOf(at);
    expect(await client.ask('subscribe', { channel: '*', after })).toMatchObject({
      ok: true,
      recovered: false,
    });
  });

  async function foreign(at: { url: string }, tenant = 'b'): Promise<{ offset: string }> {
    using client = await connect(at.url, { tenant });
    return await client.ask('subscribe', { channel: '*' });
  }

  it('does not get what another of its channels brought already', async () => {
    await using at = await serveTicks();
    using client = await connect(at.url, A);
    const { offset } = await client.ask('subscribe', { channel: '*' });
    await at.tick([1, 2], 'order.created');
    await client.until(2);
    expect(await client.ask('subscribe', { channel: 'topic/orders', after: offset })).toMatchObject(
      { recovered: true },
    );
    await at.tick([3], 'order.created');
    await client.until(3);
    expect(payloads(client)).toEqual([1, 2, 3]);
  });
});
