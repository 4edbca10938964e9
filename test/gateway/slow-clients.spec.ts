import { describe, expect, it } from '@jest/globals';
import { EmissionsGateway } from 'nestjs-emissions/gateway';
import { connectDeaf, masked } from '../support/deaf-client.js';
import { authenticate, serveGateway } from '../support/gateway.js';
import { listen } from '../support/signals.js';
import { connect } from '../support/sockets.js';
import { until } from '../support/until.js';

describe('a client that stops reading', () => {
  it('is disconnected when too much waits for it, and nobody else notices', async () => {
    await using app = await serveGateway({ authenticate, maxClientQueue: 50 });
    using log = listen('emissions:gateway:slow');
    using reading = await connect(app.url, { tenant: 'a', subject: 'reader' });
    await reading.ask('subscribe', { channel: '*' });
    const deaf = await connectDeaf(app.url, 'a');
    const { server } = app.app.get(EmissionsGateway);
    expect(server!.sockets.size).toBe(2);

    const text = 'x'.repeat(50_000);
    let sent = 0;
    while (log.all.length === 0 && sent < 2_000) {
      // oxlint-disable-next-line no-await-in-loop
      await app.emissions.run(() =>
        app.emissions.emit('tick', { n: ++sent, text }, { orgId: 'a' }),
      );
      // oxlint-disable-next-line no-await-in-loop
      await app.emissions.settled();
    }
    await reading.until(sent);
    expect(reading.received.map(({ payload }) => payload.n)).toEqual(
      Array.from({ length: sent }, (_, i) => i + 1),
    );
    expect(log.of('emissions:gateway:slow')).toEqual([
      { socket: expect.any(String), tenant: 'a', subject: undefined, count: 51, capacity: 50 },
    ]);
    // It does not even take its farewell, and is terminated a moment later.
    await until(() => server!.sockets.size === 1, 20_000_000);
    deaf.destroy();
  }, 20_000);

  it('is told why once it reads again, when that is soon, and recovers', async () => {
    await using app = await serveGateway({ authenticate, maxClientQueue: 20 });
    using log = listen('emissions:gateway:slow');
    const deaf = await connectDeaf(app.url, 'a');
    const text = 'x'.repeat(50_000);
    for (let n = 0; log.all.length === 0 && n < 2_000; n++) {
      // oxlint-disable-next-line no-await-in-loop
      await app.emissions.run(() => app.emissions.emit('tick', { n, text }, { orgId: 'a' }));
      // oxlint-disable-next-line no-await-in-loop
      await app.emissions.settled();
    }
    let all = '';
    deaf.on('data', (chunk: Buffer) => (all += chunk.toString('latin1')));
    deaf.resume();
    await until(() => /\["closed",\{.*?\}\]/.test(all), 20_000_000);
    deaf.destroy();
    expect(all).toContain(
      '["closed",{"code":"EMISSIONS_SLOW_CONSUMER","message":"slow-consumer: 21',
    );
    const offsets = [...all.matchAll(/"offset":"([^"]+)"/g)].map(([, offset]) => offset!);
    using again = await connect(app.url, { tenant: 'a' });
    expect(await again.ask('subscribe', { channel: '*', after: offsets.at(-1) })).toMatchObject({
      recovered: true,
    });
    const last = Number(/:(\d+)$/.exec(offsets.at(-1)!)![1]);
    expect(again.received[0]!.offset).toMatch(new RegExp(`:${last + 1}$`));
  }, 20_000);
});

describe('a client that asks and does not read the answers', () => {
  it('has what it missed sent until too much of it waits, then is cut off', async () => {
    await using app = await serveGateway({
      authenticate,
      maxClientQueue: 20,
      maxChannels: 5,
      maxRequestsPerSecond: 100_000,
    });
    using log = listen('emissions:gateway:slow', 'emissions:gateway:recovered');
    using reading = await connect(app.url, { tenant: 'a' });
    const { offset } = await reading.ask('subscribe', { channel: '*' });
    const text = 'x'.repeat(20_000);
    for (let n = 0; n < 400; n++)
      await app.emissions.run(() => app.emissions.emit('tick', text, { orgId: 'a' }));
    await reading.until(400);
    const deaf = await connectDeaf(app.url, 'a');
    const before = process.memoryUsage().rss;
    const ask = (event: string, body: object) =>
      deaf.write(masked(`420${JSON.stringify([event, body])}`));
    // One behind another: many at once would be too many.
    for (let n = 1; n <= 100 && log.of('emissions:gateway:slow').length === 0; n++) {
      ask('unsubscribe', { channel: '*' });
      ask('subscribe', { channel: '*', after: offset });
      await until(
        () =>
          log.of('emissions:gateway:recovered').length === n ||
          log.of('emissions:gateway:slow').length > 0,
      );
    }
    expect(log.of('emissions:gateway:slow')).toHaveLength(1);
    const answers = log.of('emissions:gateway:recovered') as { recovered: boolean }[];
    // Four frames each, of 2 MB.
    expect(answers.filter(({ recovered }) => recovered).length).toBeLessThan(12);
    expect(answers.at(-1)).toMatchObject({ recovered: false });
    expect(process.memoryUsage().rss - before).toBeLessThan(300 * 2 ** 20);
    deaf.destroy();
  }, 20_000);
});

describe('a client that asks too much', () => {
  it('is refused, then disconnected; the others are served', async () => {
    await using app = await serveGateway({ authenticate, maxChannels: 5, maxRequestsPerSecond: 1 });
    using other = await connect(app.url, { tenant: 'a' });
    using flood = await connect(app.url, { tenant: 'a' });
    const closed = new Promise<unknown>((resolve) => flood.socket.once('closed', resolve));
    const gone = new Promise<string>((resolve) => flood.socket.once('disconnect', resolve));
    const ask = (count: number) =>
      Promise.all(
        Array.from({ length: count }, () => flood.ask('subscribe', { channel: 'event/x' })),
      );
    expect((await ask(10)).filter(({ ok }) => ok)).toHaveLength(10);
    const some = await ask(60);
    expect(some.at(-1)).toMatchObject({ error: { code: 'EMISSIONS_TOO_MANY_REQUESTS' } });
    for (let i = 0; i < 100; i++) flood.socket.emit('subscribe', { channel: 'event/x' });
    expect(await closed).toMatchObject({ code: 'EMISSIONS_TOO_MANY_REQUESTS' });
    expect(await gone).toBe('io server disconnect');
    expect(await other.ask('subscribe', { channel: '*' })).toMatchObject({ ok: true });
  });

  it('is disconnected sooner when what it asks is malformed', async () => {
    await using app = await serveGateway({ authenticate, maxChannels: 5, maxRequestsPerSecond: 1 });
    using flood = await connect(app.url, { tenant: 'a' });
    const gone = new Promise<string>((resolve) => flood.socket.once('disconnect', resolve));
    let answered = 0;
    for (let i = 0; i < 100; i++) {
      flood.socket.emit('subscribe', { tenant: 'b' }, () => answered++);
    }
    expect(await gone).toBe('io server disconnect');
    expect(answered).toBeLessThan(70);
  });
});
