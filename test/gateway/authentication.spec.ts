import { createHmac } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { SignJWT } from 'jose';
import { ConfigurationError } from 'nestjs-emissions';
import {
  cookieAuthentication,
  EmissionsGateway,
  jwtAuthentication,
} from 'nestjs-emissions/gateway';
import { serveGateway } from '../support/gateway.js';
import { connect } from '../support/sockets.js';

const key = new TextEncoder().encode('a secret of at least thirty-two bytes');

const jwt = jwtAuthentication({
  key,
  verify: { algorithms: ['HS256'], issuer: 'login', audience: 'orders' },
  identity: ({ sub, org }) => ({ tenant: String(org), subject: sub! }),
});

const token = (claims: object = {}, secret = key) =>
  new SignJWT({ org: 'a', ...claims })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject('ann')
    .setIssuer('login')
    .setAudience('orders')
    .setExpirationTime('1h')
    .sign(secret);

describe('a JSON Web Token', () => {
  it('tells who is there, and for how long', async () => {
    await using app = await serveGateway({ authenticate: jwt });
    using client = await connect(app.url, { token: await token() });
    const gateway = app.app.get(EmissionsGateway);
    const [socket] = [...gateway.server!.sockets.values()];
    const identity = gateway.identityOf(socket!);
    expect(identity).toMatchObject({ tenant: 'a', subject: 'ann' });
    expect(identity!.expiresAt! - Date.now()).toBeGreaterThan(3_500_000);
    expect(await client.ask('subscribe', { channel: '*' })).toMatchObject({ ok: true });
  });

  it.each([
    ['is missing', async () => undefined],
    ['is none', async () => 'x.y.z'],
    ['is signed by somebody else', () => token({}, new TextEncoder().encode('x'.repeat(32)))],
    [
      'is for another audience',
      async () =>
        new SignJWT({ org: 'a' }).setProtectedHeader({ alg: 'HS256' }).setAudience('x').sign(key),
    ],
    ['is not signed', async () => `${btoa('{"alg":"none"}')}.${btoa('{"org":"a"}')}.`],
    [
      'has expired',
      () =>
        new SignJWT({ org: 'a' })
          .setProtectedHeader({ alg: 'HS256' })
          .setIssuer('login')
          .setAudience('orders')
          .setExpirationTime(1)
          .sign(key),
    ],
  ])('is refused when it %s', async (_, make) => {
    await using app = await serveGateway({ authenticate: jwt });
    await expect(connect(app.url, { token: await make() })).rejects.toThrow(
      /^The connection is refused: /,
    );
  });

  it('wants to know by which algorithms it may be signed', () => {
    expect(() =>
      jwtAuthentication({ key, verify: {} as never, identity: () => ({ tenant: 'a' }) }),
    ).toThrow(ConfigurationError);
  });
});

describe('what makes an authentication', () => {
  it.each([
    ['jwtAuthentication', jwtAuthentication, /jwtAuthentication takes \{ verify/],
    ['cookieAuthentication', cookieAuthentication, /cookieAuthentication takes \{ name/],
  ])('says what it takes when it is given nothing: %s', (_, make, message) => {
    expect(() => make(undefined as never)).toThrow(ConfigurationError);
    expect(() => make(undefined as never)).toThrow(message);
  });
});

describe("a session's cookie", () => {
  const secret = 'keyboard cat';
  const signed = (id: string) =>
    `s:${id}.${createHmac('sha256', secret).update(id).digest('base64').replace(/=+$/, '')}`;
  const cookies = cookieAuthentication({
    name: 'sid',
    secret,
    session: async (id) => (id === 'known' ? { tenant: 'a', subject: 'ann' } : undefined),
  });
  const withCookie = (url: string, value: string, origin?: string) =>
    connect(
      url,
      {},
      {
        extraHeaders: {
          cookie: `other=1; sid=${encodeURIComponent(value)}`,
          ...(origin !== undefined && { origin }),
        },
      },
    );

  it('tells who is there, from the host itself', async () => {
    await using app = await serveGateway({ authenticate: cookies });
    using client = await withCookie(app.url, signed('known'), app.url);
    expect(await client.ask('subscribe', { channel: '*' })).toMatchObject({ ok: true });
  });

  it.each([
    ['is of no session', signed('unknown'), undefined, /no such session/],
    ['is not signed', 'known', undefined, /no such session/],
    ['is signed wrongly', `${signed('known')}x`, undefined, /no such session/],
    ["comes from another site's page", signed('known'), 'https://evil.example', /may not connect/],
  ])('is refused when it %s', async (_, value, origin, message) => {
    await using app = await serveGateway({ authenticate: cookies });
    await expect(withCookie(app.url, value, origin)).rejects.toThrow(message);
  });

  it('is refused when there is none', async () => {
    await using app = await serveGateway({ authenticate: cookies });
    await expect(connect(app.url)).rejects.toThrow(/no cookie 'sid'/);
  });
});
