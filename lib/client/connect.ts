import type { ClientSocket } from './client-socket.js';
import { LiveClient, type LiveClientOptions } from './live-client.js';

/**
 * Follows channels over a socket of socket.io-client, which it does not own:
 *
 * ```ts
 * const live = connect(io({ auth: { token } }));
 * live.channel('topic/orders').on(({ name, payload }) => show(name, payload));
 * ```
 *
 * After a reconnect every channel is followed again, from where it was: its handlers get what they missed, or `onGap` tells
 * that it cannot be had.
 */
export function connect(socket: ClientSocket, options: LiveClientOptions = {}): LiveClient {
  return new LiveClient(socket, options);
}
