import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Socket } from 'socket.io';
import { ConfigurationError } from '../emission/emission.errors.js';
import { quote } from '../emission/quote.js';
import type { GatewayIdentity } from './gateway.options.js';

/** How a session's cookie tells who is there. */
export interface CookieAuthentication<I extends GatewayIdentity> {
  /** The cookie's name: `connect.sid` for express-session. */
  readonly name: string;
  /** The secret it is signed with, as express-session does (`s:value.signature`); without one it is taken as it is. */
  readonly secret?: string;
  /**
   * The origins whose pages may connect, such as `https://app.example.com`: browsers send cookies along whichever page asks.
   * Default: the host that is connected to.
   */
  readonly origins?: readonly string[];
  /** Finds the identity of the session with this value; `undefined` when there is none. */
  readonly session: (value: string, socket: Socket) => I | undefined | Promise<I | undefined>;
}

/**
 * Makes an `authenticate` of the cookie of a session; clients connect with `io({ withCredentials: true })`, or just from the same
 * origin.
 *
 * ```ts
 * EmissionsGatewayModule.forRootAsync({
 *   inject: [Sessions],
 *   useFactory: (sessions: Sessions) => ({
 *     authenticate: cookieAuthentication({
 *       name: 'connect.sid',
 *       secret: process.env.SESSION_SECRET!,
 *       session: async (id) => {
 *         const session = await sessions.find(id);
 *         return session && { tenant: session.orgId, subject: session.userId, expiresAt: session.expiresAt };
 *       },
 *     }),
 *   }),
 * })
 * ```
 *
 * @throws ConfigurationError when an option is missing or empty
 */
export function cookieAuthentication<I extends GatewayIdentity>(
  options: CookieAuthentication<I>,
): (socket: Socket) => Promise<I> {
  const { name, secret, origins, session } = (options ?? {}) as CookieAuthentication<I>;
  if (typeof name !== 'string' || name === '' || typeof session !== 'function' || secret === '') {
    throw new ConfigurationError(
      `cookieAuthentication takes { name: 'connect.sid', session: (value) => identity, secret?: '…' }, but got ${quote({ name, session, secret: secret === '' ? '' : undefined })}.`,
    );
  }
  return async (socket) => {
    const { origin, host, cookie } = socket.handshake.headers;
    if (origin !== undefined && !isAllowed(origin, host, origins))
      throw new Error(`pages of ${quote(origin)} may not connect.`);
    const value = cookieOf(cookie ?? '', name);
    if (value === undefined) throw new Error(`no cookie ${quote(name)}.`);
    const id = secret === undefined ? value : unsigned(value, secret);
    const found = id === undefined ? undefined : await session(id, socket);
    if (found === undefined) throw new Error('no such session.');
    return found;
  };
}

function isAllowed(
  origin: string,
  host: string | undefined,
  origins: readonly string[] | undefined,
): boolean {
  if (origins !== undefined) return origins.includes(origin);
  return URL.canParse(origin) && new URL(origin).host === host;
}

function cookieOf(header: string, name: string): string | undefined {
  for (const part of header.split(';')) {
    const equals = part.indexOf('=');
    if (equals < 0 || part.slice(0, equals).trim() !== name) continue;
    const value = part
      .slice(equals + 1)
      .trim()
      .replace(/^"(.*)"$/, '$1');
    try {
      return decodeURIComponent(value);
    } catch {
      return undefined;
    }
  }
  return undefined;
}

/** What was signed; `undefined` when the signature is not that of the secret. */
function unsigned(value: string, secret: string): string | undefined {
  const dot = value.lastIndexOf('.');
  if (!value.startsWith('s:') || dot < 2) return undefined;
  const id = value.slice(2, dot);
  const expected = createHmac('sha256', secret).update(id).digest('base64').replace(/=+$/, '');
  const given = Buffer.from(value.slice(dot + 1));
  const wanted = Buffer.from(expected);
  return given.length === wanted.length && timingSafeEqual(given, wanted) ? id : undefined;
}
