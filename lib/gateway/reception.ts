import { EmissionsError } from '../emission/emissions.error.js';
import { quote } from '../emission/quote.js';
import { signal } from '../telemetry/signal.js';
import type { Connection } from './connection.js';
import { ChannelDeniedError, ChannelError, TooManyRequestsError } from './gateway.errors.js';
import type { GatewayIdentity } from './gateway.options.js';
import { readRequest, reasonOf, type ChannelRequest, type Refusal } from './request.js';

/** How much one connection may ask. */
export interface ReceptionLimits {
  readonly maxChannels: number;
  readonly maxRequestsPerSecond: number;
  readonly maxClientQueue: number;
}

/**
 * Receives one request of a connection: reads it, waits for its turn, acts, and answers, whatever goes wrong. Who asks too
 * much is refused, and disconnected when that changes nothing.
 */
export async function answer<I extends GatewayIdentity, A>(
  connection: Connection<I> | undefined,
  message: unknown,
  { maxChannels, maxRequestsPerSecond, maxClientQueue }: ReceptionLimits,
  room: { cutOff(connection: Connection<I>): void },
  act: (connection: Connection<I>, request: ChannelRequest) => Promise<A>,
): Promise<A | Refusal> {
  try {
    if (connection === undefined) throw new ChannelError('The connection is not authenticated.');
    const atOnce = 2 * maxChannels;
    // Somebody who asks and does not read the answers; what a client that came back missed may wait for it beside them.
    if (connection.waiting > 2 * maxClientQueue + atOnce) room.cutOff(connection);
    const pace = connection.pace.ask();
    if (pace !== 'served') {
      const error = new TooManyRequestsError(maxRequestsPerSecond);
      if (pace === 'hopeless') connection.dismiss({ code: error.code, message: error.message });
      throw error;
    }
    const request = readRequest(message);
    if (connection.turns.waiting >= atOnce) {
      throw new ChannelDeniedError(
        request.channel,
        `${atOnce} requests wait for an answer already.`,
      );
    }
    return await connection.turns.take(request.channel, () => act(connection, request));
  } catch (error) {
    if (error instanceof ChannelError) connection?.pace.wasMalformed();
    signal('emissions:gateway:denied', () => ({
      socket: connection?.id ?? '',
      tenant: connection?.identity.tenant,
      channel: quote((message as { channel?: unknown } | null | undefined)?.channel),
      error,
    }));
    const code = error instanceof EmissionsError ? error.code : 'EMISSIONS_CHANNEL_DENIED';
    return { ok: false, error: { code, message: reasonOf(error) } };
  }
}
