import type { webcrypto } from 'node:crypto';
import type { Socket } from 'socket.io';
import { ConfigurationError } from '../emission/emission.errors.js';
import { quote } from '../emission/quote.js';
import type { GatewayIdentity } from './gateway.options.js';

/** What a JSON Web Token says. Written out, as applications need not have jose. */
export interface JwtClaims {
  readonly iss?: string;
  readonly sub?: string;
  readonly aud?: string | string[];
  readonly jti?: string;
  /** Seconds since 1970, as are `exp` and `iat`. */
  readonly nbf?: number;
  readonly exp?: number;
  readonly iat?: number;
  readonly [claim: string]: unknown;
}

/** What is demanded of a token; the options of jose's `jwtVerify`. */
export interface JwtDemands {
  /** Those that you sign with; a token that is signed otherwise is refused. */
  readonly algorithms: string[];
  readonly issuer?: string | string[];
  readonly audience?: string | string[];
  readonly subject?: string;
  readonly typ?: string;
  /** Seconds, or a span such as '5s'. */
  readonly clockTolerance?: string | number;
  /** The same, since `iat`. */
  readonly maxTokenAge?: string | number;
  readonly currentDate?: Date;
  readonly requiredClaims?: string[];
  readonly crit?: Record<string, boolean>;
}

/** Finds the key that a token is signed with: `createRemoteJWKSet(url)` of jose. */
export type JwtKeyFinder = (header?: any, token?: any) => unknown;

/** How a JSON Web Token tells who is there. */
export interface JwtAuthentication<I extends GatewayIdentity> {
  /** A shared secret of 32 bytes or more, a public key, or what finds one: `createRemoteJWKSet(url)` of `jose`. */
  readonly key: Uint8Array | webcrypto.CryptoKey | JwtKeyFinder;
  /** What is demanded of the token. */
  readonly verify: JwtDemands;
  /** Makes the identity of the claims. Without `expiresAt` in it, the connection ends when the token does. */
  readonly identity: (claims: JwtClaims, socket: Socket) => I | Promise<I>;
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
export function jwtAuthentication<I extends GatewayIdentity>(
  options: JwtAuthentication<I>,
): (socket: Socket) => Promise<I> {
  const { key, verify, identity } = (options ?? {}) as JwtAuthentication<I>;
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
    const { payload } = await jwtVerify(token, key as Parameters<typeof jwtVerify>[1], verify);
    const found = await identity(payload, socket);
    if (payload.exp === undefined || found.expiresAt !== undefined) return found;
    return { ...found, expiresAt: payload.exp * 1_000 };
  };
}
