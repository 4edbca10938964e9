import type { CryptoKey, JWTPayload, JWTVerifyGetKey, JWTVerifyOptions } from 'jose';
import type { Socket } from 'socket.io';
import { ConfigurationError } from '../emission/emission.errors.js';
import { quote } from '../emission/quote.js';
import type { GatewayIdentity } from './gateway.options.js';

/** How a JSON Web Token tells who is there. */
export interface JwtAuthentication<I extends GatewayIdentity> {
  /** A shared secret of 32 bytes or more, a public key, or what finds one: `createRemoteJWKSet(url)` of `jose`. */
  readonly key: Uint8Array | CryptoKey | JWTVerifyGetKey;
  /** What is demanded of the token: `issuer`, `audience`, `algorithms` and more of jose's `jwtVerify`. */
  readonly verify: JWTVerifyOptions & { readonly algorithms: string[] };
  /** Makes the identity of the claims. Without `expiresAt` in it, the connection ends when the token does. */
  readonly identity: (claims: JWTPayload, socket: Socket) => I | Promise<I>;
}

/**
 * Makes an `authenticate` of tokens that clients give as `io({ auth: { token } })`; needs the package `jose`.
 *
 * ```ts
 * EmissionsGatewayModule.forRoot({
 *   authenticate: jwtAuthentication({
 *     key: new TextEncoder().encode(process.env.JWT_SECRET),
 *     verify: { algorithms: ['HS256'], issuer: 'https://login.example.com', audience: 'orders' },
 *     identity: ({ sub, org }) => ({ tenant: String(org), subject: sub! }),
 *   }),
 *   authorize: (identity, channel) => channel !== '*' || identity.subject === 'admin',
 * })
 * ```
 *
 * The connection ends when the token expires; `gateway.refresh(identity)` gives it more time.
 *
 * @throws ConfigurationError when an option is missing
 */
export function jwtAuthentication<I extends GatewayIdentity>({
  key,
  verify,
  identity,
}: JwtAuthentication<I>): (socket: Socket) => Promise<I> {
  if (!Array.isArray(verify?.algorithms) || verify.algorithms.length === 0) {
    throw new ConfigurationError(
      `jwtAuthentication takes { verify: { algorithms: ['HS256'] } } with the algorithms you sign with, but got ${quote(verify?.algorithms)}.`,
    );
  }
  if (key === undefined || typeof identity !== 'function') {
    throw new ConfigurationError(
      'jwtAuthentication takes { key, verify, identity: (claims) => ({ tenant, subject }) }; key or identity is missing.',
    );
  }
  return async (socket) => {
    const token: unknown = (socket.handshake.auth as { token?: unknown }).token;
    if (typeof token !== 'string') throw new Error('no token in auth.token.');
    const { jwtVerify } = await import('jose');
    const { payload } = await (typeof key === 'function'
      ? jwtVerify(token, key, verify)
      : jwtVerify(token, key, verify));
    const found = await identity(payload, socket);
    if (payload.exp === undefined || found.expiresAt !== undefined) return found;
    return { ...found, expiresAt: payload.exp * 1_000 };
  };
}
