import type { Socket } from 'socket.io';
import { ConfigurationError } from '../emission/emission.errors.js';
import { quote } from '../emission/quote.js';
import { ConnectionRefusedError } from './gateway.errors.js';
import type { GatewayIdentity, GatewayOptions } from './gateway.options.js';
import { inTime } from './in-time.js';

type Authenticate<I extends GatewayIdentity> = (socket: Socket) => I | Promise<I>;

/** @throws ConfigurationError when nothing tells who may connect, or two things do */
export function checkAuthentication(
  { authenticate, anonymous }: Pick<GatewayOptions<any>, 'authenticate' | 'anonymous'>,
  overridden: boolean,
): void {
  if (authenticate !== undefined && anonymous) {
    throw new ConfigurationError(
      'EmissionsGateway: "anonymous" and "authenticate" exclude one another; remove one.',
    );
  }
  if (!overridden && authenticate === undefined && !anonymous) {
    throw new ConfigurationError(
      'EmissionsGateway has no authentication, and anybody could follow any tenant. Write ' +
        "EmissionsGatewayModule.forRoot({ authenticate: async (socket) => ({ tenant: '…', subject: '…' }) }), or, for an " +
        'application without tenants, { anonymous: true }.',
    );
  }
}

/** @throws ConnectionRefusedError when that takes too long, or gives no tenant; whatever `authenticate` throws */
export async function identify<I extends GatewayIdentity>(
  socket: Socket,
  authenticate: Authenticate<I>,
  { authenticateTimeoutMs, anonymous }: GatewayOptions<I>,
): Promise<I> {
  const identity = await inTime(
    async () => authenticate(socket),
    authenticateTimeoutMs,
    () =>
      new ConnectionRefusedError(`authentication took longer than ${authenticateTimeoutMs} ms.`),
  );
  const tenant: unknown = identity?.tenant;
  if (typeof tenant !== 'string' || (tenant === '' && !anonymous)) {
    throw new ConnectionRefusedError(
      `authentication must give { tenant: '…' }, but gave ${quote(tenant)} for it.`,
    );
  }
  return Object.freeze({ ...identity });
}
