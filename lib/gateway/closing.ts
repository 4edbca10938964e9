import type { Socket } from 'socket.io';

/** What a client is told before the server closes its connection: the message `closed`. */
export interface ClosedNotice {
  /** `EMISSIONS_SLOW_CONSUMER`, `EMISSIONS_TOO_MANY_REQUESTS`, `EMISSIONS_IDENTITY_EXPIRED` or `EMISSIONS_DISCONNECTED`. */
  readonly code: string;
  readonly message: string;
}

/** How long a client has to take its last message. */
const GRACE_MS = 2_000;

/** What is read of engine.io beside its types. */
interface Wire {
  readonly readyState: string;
  readonly writeBuffer: unknown[];
  readonly transport: { readonly socket?: { terminate?(): void } };
  close(discard?: boolean): void;
  once(event: 'close', listener: () => void): void;
}

/** How many packets wait for a client to read what was sent before them. */
export function queueOf(socket: Socket): number {
  return wireOf(socket).writeBuffer.length;
}

/** Tells a client why, and disconnects it for good: socket.io clients do not come back by themselves. */
export function dismiss(socket: Socket, notice: ClosedNotice): void {
  socket.emit('closed', notice);
  const wire = wireOf(socket);
  socket.disconnect(true);
  terminateLater(wire);
}

/**
 * Throws away what waits for a client that does not read, tells it why, and cuts the connection: the client connects again,
 * and recovers by its offsets. One that does not even take that is terminated after a moment.
 */
export function cut(socket: Socket, notice: ClosedNotice): void {
  const wire = wireOf(socket);
  wire.writeBuffer.length = 0;
  socket.emit('closed', notice);
  wire.close();
  terminateLater(wire);
}

function terminateLater(wire: Wire): void {
  if (wire.readyState === 'closed') return;
  const timer = setTimeout(() => {
    const { socket } = wire.transport;
    wire.close(true);
    // A WebSocket would wait half a minute for an answer to its farewell, and keep what it holds until then.
    socket?.terminate?.();
  }, GRACE_MS);
  timer.unref();
  wire.once('close', () => clearTimeout(timer));
}

function wireOf(socket: Socket): Wire {
  return socket.conn as unknown as Wire;
}
