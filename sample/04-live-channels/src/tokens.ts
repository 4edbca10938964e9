import { jwtVerify, SignJWT } from 'jose';

/** Shared by all processes; a demonstration's secret is no secret. */
const key = new TextEncoder().encode(
  process.env['JWT_SECRET'] ?? 'only a demonstration, and long enough',
);

/** What is demanded of a token. */
export const demands = {
  algorithms: ['HS256'],
  issuer: 'sample-04',
  audience: 'orders',
  requiredClaims: ['sub', 'org', 'exp'],
};

export { key };

/** Who a token stands for. */
export interface Claims {
  readonly sub: string;
  readonly org: string;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}

/** What your login would give out. */
export function issueToken({ sub, org }: Pick<Claims, 'sub' | 'org'>): Promise<string> {
  return new SignJWT({ org })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(sub)
    .setIssuer(demands.issuer)
    .setAudience(demands.audience)
    .setExpirationTime('1h')
    .sign(key);
}

/** Rejects for anything but a token of ours that has not expired. */
export async function readToken(token: string): Promise<Claims> {
  const { payload } = await jwtVerify(token, key, demands);
  return {
    sub: String(payload.sub),
    org: String(payload['org']),
    expiresAt: payload.exp! * 1_000,
  };
}
