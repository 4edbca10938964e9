import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, jest } from '@jest/globals';
import {
  ConfigurationError,
  Emissions,
  EmissionsModule,
  PartialDeliveryError,
} from 'nestjs-emissions';
import { EmissionsDurableModule } from 'nestjs-emissions/durable';
import { adapterContract, createEmission, serveAdapter } from 'nestjs-emissions/testing';
import { WebhookAdapter, type WebhookOptions, type WebhookOutcome } from 'nestjs-emissions/webhook';
import { Webhook } from 'standardwebhooks';
import { AddressGuard } from '../../../lib/brokers/webhook/address-guard.js';
import { Rests } from '../../../lib/brokers/webhook/rests.js';
import { start } from '../../support/app.js';
import { arrivalOf, emissionOf, Unwritable } from '../../support/brokers.js';
import { wireTo } from '../../support/wire.js';
import { OtherEnd } from '../../support/other-end.js';
import { rounds, until } from '../../support/until.js';

// A database in the process takes its time to start on a busy machine.
jest.setTimeout(30_000);

const SECRET = `whsec_${Buffer.from('a secret that nobody knows').toString('base64')}`;
const OTHER = `whsec_${Buffer.from('the secret of yesterday..').toString('base64')}`;
const LOOPBACK = { allow: ['127.0.0.0/8', '::1/128'], allowHttp: true };
const CONTEXT = { attempt: 1, consumer: 'webhook', signal: new AbortController().signal };

interface Hit {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A receiver, which answers as the test says. */
async function receiver(answer: (hit: Hit, response: ServerResponse) => void = (_, r) => r.end()) {
  const hits: Hit[] = [];
  const server = createServer((request: IncomingMessage, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const hit = { headers: request.headers, body: Buffer.concat(chunks).toString() };
      hits.push(hit);
      answer(hit, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  const endpoint = { url: `http://127.0.0.1:${port}/hooks`, secrets: [SECRET] };
  return { hits, port, endpoint, close, [Symbol.asyncDispose]: close };
}

function adapterTo(endpoints: WebhookOptions['endpoints'], options: Partial<WebhookOptions> = {}) {
  return new WebhookAdapter({ ...LOOPBACK, ...options, endpoints });
}

describe('A WebhookAdapter', () => {
  adapterContract({
    test: it,
    expect,
    features: { failures: true, partialFailures: true, unencodable: () => new Unwritable() },
    create: async (consumer) => {
      const end = new OtherEnd();
      const { endpoint, close } = await receiver(({ headers, body }, response) => {
        const arrival = arrivalOf({ headers, body });
        response.statusCode = end.refuses(arrival) ? 500 : 204;
        if (response.statusCode === 204) end.take(arrival);
        response.end();
      });
      return {
        app: await serveAdapter({ useFactory: () => adapterTo([endpoint]) }, consumer),
        received: () => end.arrivals,
        refuse: (which, times) => end.refuse(which, times),
        close,
      };
    },
  });

  it('signs so that standardwebhooks verifies it, with each of several secrets', async () => {
    await using end = await receiver();
    const adapter = adapterTo([{ ...end.endpoint, secrets: [SECRET, OTHER] }]);
    const emission = createEmission('order.created', { total: 'zwölf €' });
    await adapter.deliver([emission], CONTEXT);
    const { headers, body } = end.hits[0]!;
    expect(headers['webhook-id']).toBe(emission.id);
    for (const secret of [SECRET, OTHER]) {
      const verified = new Webhook(secret).verify(body, headers as Record<string, string>);
      expect(verified).toMatchObject({ type: 'order.created', data: { total: 'zwölf €' } });
    }
    const stranger = new Webhook(`whsec_${Buffer.from('of somebody else').toString('base64')}`);
    expect(() => stranger.verify(body, headers as Record<string, string>)).toThrow(/signature/);
    const tampered = body.replace('zwölf', 'elf');
    expect(() => new Webhook(SECRET).verify(tampered, headers as Record<string, string>)).toThrow(
      /signature/,
    );
  });

  it('tells the endpoints of a tenant, and nobody where there are none', async () => {
    await using first = await receiver();
    await using second = await receiver();
    const adapter = adapterTo(async ({ tenant }) =>
      tenant === 'one' ? [first.endpoint] : tenant === 'two' ? [second.endpoint] : [],
    );
    const batch = ['one', 'two', 'three'].map((tenant) => createEmission('e', {}, { tenant }));
    await adapter.deliver(batch, CONTEXT);
    const ids = (hits: Hit[]) => hits.map((hit) => emissionOf(hit).tenant);
    expect([ids(first.hits), ids(second.hits)]).toEqual([['one'], ['two']]);
  });

  it('does not tell those again that have taken it, when another one fails', async () => {
    await using healthy = await receiver();
    let isDead = true;
    await using dead = await receiver((_, response) => {
      response.statusCode = isDead ? 500 : 200;
      response.end();
    });
    const outcomes: WebhookOutcome[] = [];
    const adapter = adapterTo([healthy.endpoint, dead.endpoint], {
      onOutcome: (outcome) => outcomes.push(outcome),
    });
    const batch = [createEmission('e', { n: 1 }), createEmission('e', { n: 2 })];
    await expect(adapter.deliver(batch, CONTEXT)).rejects.toThrow(/answered 500/);
    isDead = false;
    await adapter.deliver(batch, CONTEXT);
    expect([healthy.hits.length, dead.hits.length]).toEqual([2, 4]);
    expect(outcomes.map(({ status }) => status).sort((a, b) => a! - b!)).toEqual([
      200, 200, 200, 200, 500, 500,
    ]);
  });

  it('leaves the others alone when one never answers, with a consumer for each', async () => {
    await using healthy = await receiver();
    await using stuck = await receiver(() => {});
    const adapters = WebhookAdapter.each([healthy.endpoint, stuck.endpoint], {
      ...LOOPBACK,
      timeoutMs: 60_000,
    });
    const app = await serveAdapter(adapters[0]!);
    app.get(Emissions).addAdapter('stuck', adapters[1]!.useFactory());
    await app.get(Emissions).run(() => {
      for (let n = 0; n < 10; n++) app.get(Emissions).emit('e', { n });
    });
    await until(() => healthy.hits.length >= 10 && stuck.hits.length >= 1);
    expect([healthy.hits.length, stuck.hits.length]).toEqual([10, 1]);
    await stuck.close();
    await app.close();
  });

  it('stored, owes each endpoint a delivery of its own: a dead one neither blocks nor repeats the others', async () => {
    await using healthy = await receiver();
    let refusals = 2;
    await using dead = await receiver((_, response) => {
      response.statusCode = refusals-- > 0 ? 500 : 200;
      response.end();
    });
    const consumer = { durable: true, retry: { attempts: 5, backoffMs: 1, jitter: 0 } };
    await using app = await start({
      imports: [
        EmissionsModule.forRoot({
          adapters: WebhookAdapter.each([healthy.endpoint, dead.endpoint], LOOPBACK, consumer),
        }),
        EmissionsDurableModule.forRoot({ embedded: 'memory://' }),
      ],
    });
    await app.emissions.run(() => app.emissions.emit('e', { n: 1 }));
    await until(() => dead.hits.length >= 3);

    expect([healthy.hits.length, dead.hits.length]).toEqual([1, 3]);
    // A database is made, which takes seconds where the machine is busy.
  }, 30_000);

  it('keeps the order of a key at an endpoint that refuses one', async () => {
    let refusals = 1;
    await using end = await receiver(({ headers, body }, response) => {
      const { payload } = emissionOf({ headers, body });
      response.statusCode = payload === 1 && refusals-- > 0 ? 500 : 200;
      response.end();
    });
    const adapter = adapterTo([end.endpoint]);
    const batch = [1, 2, 3].map((n) => createEmission('e', n, { key: n === 3 ? 'b' : 'a' }));
    const failure = await adapter.deliver(batch, CONTEXT).catch((error: unknown) => error);
    expect((failure as PartialDeliveryError).failed).toEqual(batch.slice(0, 2));
    expect(end.hits.map((hit) => emissionOf(hit).payload)).toEqual([1, 3]);
  });

  it('waits as long as it is asked to before it asks again', async () => {
    const times: number[] = [];
    await using end = await receiver((_, response) => {
      times.push(performance.now());
      if (times.length === 1) response.writeHead(503, { 'retry-after': '100' });
      response.end();
    });
    const adapter = adapterTo([end.endpoint], { maxRetryAfterMs: 80 });
    const batch = [createEmission('e', {}), createEmission('e', {})];
    await expect(adapter.deliver(batch, CONTEXT)).rejects.toThrow(/answered 503/);
    expect(times.length).toBe(1);
    await adapter.deliver(batch, CONTEXT);
    expect(times[1]! - times[0]!).toBeGreaterThan(70);
  });

  it('waits until the date that it is asked to', async () => {
    let asked = 0;
    await using end = await receiver((_, response) => {
      const until = new Date(Date.now() + 3_600_000).toUTCString();
      if (asked++ === 0) response.writeHead(429, { 'retry-after': until });
      response.end();
    });
    const adapter = adapterTo([end.endpoint]);
    const batch = [createEmission('e', {})];
    await expect(adapter.deliver(batch, CONTEXT)).rejects.toThrow(/answered 429/);
    const stop = new AbortController();
    const waiting = adapter.deliver(batch, { ...CONTEXT, signal: stop.signal });
    await rounds(50);
    stop.abort(new Error('It waits for an hour'));
    await expect(waiting).rejects.toThrow(/It waits for an hour/);
    expect(asked).toBe(1);
  });

  it('takes the status for the answer, whatever becomes of the rest of it', async () => {
    await using end = await receiver((_, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('and so on');
      setImmediate(() => response.destroy());
    });
    const adapter = adapterTo([end.endpoint]);
    await expect(adapter.deliver([createEmission('e', {})], CONTEXT)).resolves.toBeUndefined();
  });

  it('tells two endpoints with one URL apart by their ids, and one that is named twice once', async () => {
    const failing = new Set(['two']);
    await using end = await receiver(({ headers }, response) => {
      response.statusCode = failing.has(String(headers['x-for'])) ? 500 : 200;
      response.end();
    });
    const named = (id: string) => ({ ...end.endpoint, id, headers: { 'x-for': id } });
    const adapter = adapterTo([named('one'), named('two'), named('one')]);
    const batch = [createEmission('e', {})];
    await expect(adapter.deliver(batch, CONTEXT)).rejects.toThrow(/The webhook two answered 500/);
    failing.clear();
    await adapter.deliver(batch, CONTEXT);
    const told = end.hits.map(({ headers }) => headers['x-for']);
    expect(told).toHaveLength(3);
    expect(told.slice(2)).toEqual(['two']);
    expect(new Set(told)).toEqual(new Set(['one', 'two']));
  });

  it('takes the events it is for, and no others', async () => {
    await using end = await receiver();
    await using app = await start({
      imports: [
        EmissionsModule.forRoot({
          adapters: [{ useFactory: () => adapterTo([end.endpoint], { events: 'order.*' }) }],
        }),
      ],
    });
    await app.emissions.run(() => {
      for (const name of ['order.created', 'user.created', 'order.line.added']) {
        app.emissions.emit(name, {});
      }
    });
    await app.emissions.settled();
    expect(end.hits.map((hit) => emissionOf(hit).name)).toEqual(['order.created']);
  });

  it('follows no redirect', async () => {
    await using secret = await receiver();
    await using end = await receiver((_, response) =>
      response.writeHead(302, { location: secret.endpoint.url }).end(),
    );
    await expect(
      adapterTo([end.endpoint]).deliver([createEmission('e', {})], CONTEXT),
    ).rejects.toThrow(/answered 302; redirects are not followed/);
    expect(secret.hits).toEqual([]);
  });

  it('fails alone for a body that is too large', async () => {
    await using end = await receiver();
    const adapter = adapterTo([end.endpoint], { maxPayloadBytes: 2_000 });
    const large = createEmission('e', 'x'.repeat(2_000));
    const failure = adapter.deliver([large, createEmission('e', 'x')], CONTEXT);
    await expect(failure).rejects.toMatchObject({ failed: [large] });
    expect(end.hits.length).toBe(1);
  });

  it('fails in time when nothing is answered, when the connection is cut, and goes on afterwards', async () => {
    await using end = await receiver();
    await using wire = await wireTo(end.port);
    const endpoint = { ...end.endpoint, url: `http://127.0.0.1:${wire.port}/hooks` };
    const adapter = adapterTo([endpoint], { timeoutMs: 150 });
    const send = (n: number) => adapter.deliver([createEmission('e', n)], CONTEXT);
    await send(1);
    wire.swallow();
    await expect(send(2)).rejects.toThrow(/has not answered within 150 ms/);
    wire.cut();
    await expect(send(3)).rejects.toThrow(Error);
    wire.mend();
    await send(4);
    expect(end.hits.map((hit) => emissionOf(hit).payload)).toEqual([1, 4]);
    await adapter.onApplicationShutdown();
  });

  it('gives up when it is told to', async () => {
    await using end = await receiver(() => {});
    const stop = new AbortController();
    const sent = adapterTo([end.endpoint]).deliver([createEmission('e', 1)], {
      ...CONTEXT,
      signal: stop.signal,
    });
    await until(() => end.hits.length > 0);
    stop.abort(new Error('Time is over'));
    await expect(sent).rejects.toThrow(/Time is over/);
  });

  it.each([
    ['no endpoints', {}, /endpoints is required/],
    ['http', { endpoints: [{ url: 'http://x.example', secrets: [SECRET] }] }, /allowHttp/],
    ['no url', { endpoints: [{ url: 'nonsense', secrets: [SECRET] }] }, /this is none/],
    ['no secret', { endpoints: [{ url: 'https://x.example', secrets: [] }] }, /has no secrets/],
    ['no network', { endpoints: [], allow: ['10.0.0.0'] }, /networks such as/],
  ])('refuses %s', (_, options, message) => {
    const make = () => new WebhookAdapter(options as unknown as WebhookOptions);
    expect(make).toThrow(ConfigurationError);
    expect(make).toThrow(message);
  });

  it('sends headers of an endpoint, but its own ones in no other words', async () => {
    await using end = await receiver();
    const headers = { 'X-Shop': 'one', 'Webhook-Id': 'another', 'WEBHOOK-SIGNATURE': 'v1,none' };
    const sent = createEmission('e', 1);
    await adapterTo([{ ...end.endpoint, headers }]).deliver([sent], CONTEXT);
    const [hit] = end.hits;
    expect(hit!.headers).toMatchObject({ 'x-shop': 'one', 'webhook-id': sent.id });
    expect(() => new Webhook(SECRET).verify(hit!.body, hit!.headers as never)).not.toThrow();
  });

  it('forgets endpoints whose rest is over, although they are never asked again', () => {
    let now = 0;
    const rests = new Rests(() => now);
    for (let n = 0; n < 1_000; n++) {
      now += 10;
      rests.set(`endpoint ${n}`, 100);
    }
    expect(rests.size).toBe(10);
    expect([rests.leftOf('endpoint 999'), rests.leftOf('endpoint 995')]).toEqual([100, 60]);
    rests.set('endpoint 999', 0);
    expect(rests.leftOf('endpoint 999')).toBeLessThanOrEqual(0);
  });

  it('refuses a secret that is none, without telling it', async () => {
    await using end = await receiver();
    const adapter = adapterTo([{ ...end.endpoint, secrets: ['whsec_dG9vc2hvcnQ='] }]);
    const sent = adapter.deliver([createEmission('e', 1)], CONTEXT);
    await expect(sent).rejects.toThrow(/at least 16 random bytes/);
    await expect(sent).rejects.not.toThrow(/dG9vc2hvcnQ/);
  });
});

describe('What is not public', () => {
  it.each([
    ...['127.0.0.1', '2130706433', '0x7f000001', '127.1', '0.0.0.0', '[::1]', '[::ffff:127.0.0.1]'],
    ...['169.254.169.254', '10.0.0.1', '192.168.1.1', '100.64.0.1', '[fd00::1]', '[fe80::1]'],
    ...[
      '[64:ff9b::7f00:1]',
      '[2002:7f00:1::]',
      '[::7f00:1]',
      '[::ffff:0:7f00:1]',
      '0177.0.0.1',
      '[::ffff:a9fe:a9fe]',
      '224.0.0.1',
      'localhost',
    ],
  ])('is not sent to: %s', async (host) => {
    await using end = await receiver();
    const adapter = adapterTo([{ url: `http://${host}:${end.port}/`, secrets: [SECRET] }], {
      allow: [],
      timeoutMs: 2_000,
    });
    const sent = adapter.deliver([createEmission('e', 1)], CONTEXT);
    await expect(sent).rejects.toThrow(/is not on the public internet/);
    expect(end.hits).toEqual([]);
  });

  it('leaves out everything else', () => {
    const guard = new AddressGuard([]);
    const open = [
      '1.1.1.1',
      '8.8.8.8',
      '93.184.216.34',
      '172.32.0.1',
      '2606:4700::1111',
      '2a00::1',
    ];
    expect(open.filter((address) => !guard.allows(address))).toEqual([]);
  });
});
