import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';

/** An emission as a client gets it. */
export interface Received {
  readonly id: string;
  readonly name: string;
  readonly payload: any;
  readonly offset: string;
}

/** A real socket.io client that remembers what it got. */
export interface Client extends Disposable {
  readonly socket: Socket;
  /** Every frame: the emissions that came together. */
  readonly frames: Received[][];
  readonly received: Received[];
  readonly names: string[];
  /** Sends a message and resolves with its acknowledgement. */
  ask(message: string, body?: unknown): Promise<any>;
  /** Resolves when this many emissions have come in all. */
  until(count: number): Promise<Received[]>;
}

/** Connects; rejects with socket.io's `connect_error`. */
export async function connect(
  url: string,
  auth: object = {},
  options: Partial<ManagerOptions & SocketOptions> = {},
): Promise<Client> {
  const socket = io(url, {
    auth,
    transports: ['websocket'],
    forceNew: true,
    reconnection: false,
    ...options,
  });
  const client = clientOf(socket);
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('connect_error', (error) => {
      socket.close();
      reject(error);
    });
  });
  return client;
}

function clientOf(socket: Socket): Client {
  const frames: Received[][] = [];
  const waiting = new Set<() => void>();
  socket.on('emissions', (frame: Received[]) => {
    frames.push(frame);
    for (const check of waiting) check();
  });
  return {
    socket,
    frames,
    get received() {
      return frames.flat();
    },
    get names() {
      return frames.flat().map(({ name }) => name);
    },
    ask: (message, body) => socket.timeout(4_000).emitWithAck(message, body),
    until: (count) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(
          () => reject(new Error(`${frames.flat().length} of ${count} emissions came.`)),
          4_000,
        );
        const check = (): void => {
          if (frames.flat().length < count) return;
          clearTimeout(timer);
          waiting.delete(check);
          resolve(frames.flat());
        };
        waiting.add(check);
        check();
      }),
    [Symbol.dispose]: () => socket.close(),
  };
}
