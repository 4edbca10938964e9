import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { describeRedis, startRedis, type TestRedis } from '../support/redis.js';
import { connect } from '../support/sockets.js';
import { loadSample } from './load-sample.js';

describeRedis('live channels of two processes', () => {
  let redis: TestRedis;
  let apps: INestApplication[];
  let urls: string[];
  let ann: string;
  let admin: string;

  beforeAll(async () => {
    redis = await startRedis();
    process.env['REDIS_URL'] = redis.url;
    const { createApp } = await loadSample<{ createApp(): Promise<INestApplication> }>(
      '04-live-channels/src/create-app',
    );
    const { issueToken } = await loadSample<{ issueToken(claims: object): Promise<string> }>(
      '04-live-channels/src/tokens',
    );
    apps = await Promise.all([createApp(), createApp()]);
    await Promise.all(apps.map((app) => app.listen(0, '127.0.0.1')));
    urls = await Promise.all(apps.map((app) => app.getUrl()));
    // A tenant of this run alone: the Redis may be one that was here before.
    const org = `org-${process.pid}-${Date.now()}`;
    ann = await issueToken({ sub: 'ann', org });
    admin = await issueToken({ sub: 'admin', org });
  });
  afterAll(async () => {
    await Promise.all(apps.map((app) => app.close()));
    await redis[Symbol.asyncDispose]();
  });

  const place = (at: number, id: string, token = ann) =>
    fetch(`${urls[at]}/orders`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ id, quantity: 1 }),
    });

  it('bring a client of one what the other commits, and let it recover at either', async () => {
    const before = await connect(urls[0]!, { token: ann });
    expect(await before.ask('subscribe', { channel: 'topic/orders' })).toMatchObject({ ok: true });
    expect((await place(1, '1')).status).toBe(201);
    const [{ offset }] = (await before.until(1)) as unknown as [{ offset: string }];
    before.socket.close();
    await place(0, '2');
    await place(1, '3');
    using after = await connect(urls[1]!, { token: ann });
    const answer = await after.ask('subscribe', { channel: 'topic/orders', after: offset });
    expect(answer).toMatchObject({ recovered: true });
    await after.until(2);
    expect(after.received.map(({ payload }) => payload.id)).toEqual(['2', '3']);
  });

  it('refuse what is no order', async () => {
    const bodies = ['', '{', 'null', '{}', '{"id":1,"quantity":1}', '{"id":"a b","quantity":1}'];
    const more = ['{"id":"1","quantity":0}', '{"id":"1","quantity":"x"}', '[]'];
    const answers = await Promise.all(
      [...bodies, ...more].map((body) =>
        fetch(`${urls[0]}/orders`, {
          method: 'POST',
          headers: { authorization: `Bearer ${ann}`, 'content-type': 'application/json' },
          body,
        }),
      ),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([400]));
  });

  it('let nobody in without a token, and only the admin into everything', async () => {
    await expect(connect(urls[0]!, { token: 'x' })).rejects.toThrow(/connection is refused/);
    expect((await place(0, '1', 'x')).status).toBe(401);
    using one = await connect(urls[0]!, { token: ann });
    expect(await one.ask('subscribe', { channel: '*' })).toMatchObject({
      error: { message: expect.stringContaining('only the admin') },
    });
    expect(await one.ask('subscribe', { channel: 'entity/order/7' })).toMatchObject({ ok: true });
    using two = await connect(urls[1]!, { token: admin });
    expect(await two.ask('subscribe', { channel: '*' })).toMatchObject({ ok: true });
    await place(1, '7');
    await Promise.all([one.until(1), two.until(1)]);
    expect(one.received[0]!.payload).toEqual({ id: '7', quantity: 1 });
  });

  it('can be followed by server-sent events, too', async () => {
    const stop = new AbortController();
    const response = await fetch(`${urls[0]}/live?token=${ann}`, { signal: stop.signal });
    expect(response.status).toBe(200);
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    const read = async (part: string): Promise<void> => {
      // oxlint-disable-next-line no-await-in-loop
      while (!text.includes(part)) text += (await reader.read()).value ?? '';
    };
    await read('event: following');
    await place(1, '8');
    await read('"id":"8"');
    expect(text).toMatch(/event: emission\nid: [\w-]+:\d+\ndata: \{.*"id":"8"/);
    stop.abort();
    await expect(reader.read()).rejects.toThrow(/abort/);
  });
});
