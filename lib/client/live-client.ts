import type { ClientSocket } from './client-socket.js';
import { LiveChannel, type SubscribeAnswer } from './live-channel.js';
import type { LiveEmission } from './live-emission.js';

/** What the server says before it ends the connection. */
export interface Closing {
  readonly code: string;
  readonly message: string;
}

/** How the client behaves. */
export interface LiveClientOptions {
  /** Gets what handlers throw; by default, the console. */
  onError?: (error: unknown) => void;
  /**
   * How long to wait before asking again for a channel when the server says that it was asked too much, in milliseconds.
   * @default 1000
   */
  retryMs?: number;
}

const RETRY_MS = 1_000;

/** Several channels over one socket. Made by `connect`. */
export class LiveClient {
  readonly #socket: ClientSocket;
  readonly #options: LiveClientOptions;
  readonly #channels = new Map<string, LiveChannel>();
  readonly #closings = new Set<(closing: Closing) => void>();
  readonly #listeners: Record<string, (...args: any[]) => void>;
  /** Which connection this is: answers of one before are answers to nobody. */
  #session = 0;

  /** @internal */
  constructor(socket: ClientSocket, options: LiveClientOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#listeners = {
      connect: () => this.#connected(),
      disconnect: () => this.#disconnected(),
      emissions: (items, channels) => this.#receive(items, channels),
      gap: ({ offset }) => this.#channels.forEach((channel) => channel.lost(offset)),
      revoked: ({ channel, message }) =>
        this.#channels.get(channel)?.refuse({ code: 'EMISSIONS_CHANNEL_REVOKED', message }),
      closed: (closing) => this.#tellClosing(closing),
    };
    for (const [event, listener] of Object.entries(this.#listeners)) socket.on(event, listener);
  }

  /** The channel, followed from now on; the same one for the same name. One that was refused is asked for again. */
  channel<C extends string>(name: C): LiveChannel<C> {
    const known = this.#channels.get(name) as LiveChannel<C> | undefined;
    if (known !== undefined && known.state !== 'refused') return known;
    const channel =
      known ??
      new LiveChannel(name, {
        leave: () => this.#leave(name),
        failed: (error) => this.#failed(error),
      });
    this.#channels.set(name, channel as unknown as LiveChannel);
    channel.ask();
    if (this.#socket.connected) this.#subscribe(channel as unknown as LiveChannel);
    return channel;
  }

  /**
   * Calls the listener when the server ends the connection, with its reason. After `EMISSIONS_SLOW_CONSUMER` the socket comes
   * back by itself; after others it does when `socket.connect()` is called. Of an application that closes it is not called: socket.io
   * tells that itself, with `disconnect`.
   */
  onClosed(listener: (closing: Closing) => void): () => void {
    this.#closings.add(listener);
    return () => this.#closings.delete(listener);
  }

  /** Leaves all channels and lets go of the socket, which stays connected. */
  close(): void {
    for (const channel of [...this.#channels.values()]) channel.leave();
    for (const [event, listener] of Object.entries(this.#listeners))
      this.#socket.off(event, listener);
  }

  #connected(): void {
    this.#session++;
    for (const channel of this.#channels.values()) {
      channel.reset();
      if (channel.state === 'pending') this.#subscribe(channel);
    }
  }

  #disconnected(): void {
    this.#session++;
    for (const channel of this.#channels.values()) channel.reset();
  }

  #subscribe(channel: LiveChannel): void {
    const session = this.#session;
    const { name, offset } = channel;
    const request = { channel: name, ...(offset !== undefined && { after: offset }) };
    this.#socket.emit('subscribe', request, (answer: SubscribeAnswer) => {
      if (session !== this.#session || this.#channels.get(name) !== channel) return;
      if (answer.ok || answer.error.code !== 'EMISSIONS_TOO_MANY_REQUESTS')
        return channel.answered(answer);
      setTimeout(() => {
        if (session === this.#session && this.#channels.get(name) === channel)
          this.#subscribe(channel);
      }, this.#options.retryMs ?? RETRY_MS);
    });
  }

  #leave(name: string): void {
    this.#channels.delete(name);
    if (this.#socket.connected) this.#socket.emit('unsubscribe', { channel: name }, () => {});
  }

  #receive(items: LiveEmission[], channels: readonly string[] | readonly string[][]): void {
    for (const [i, item] of items.entries()) {
      const carrying = Array.isArray(channels[0]) ? channels[i]! : channels;
      for (const name of carrying as readonly string[]) this.#channels.get(name)?.take(item);
      for (const channel of this.#channels.values()) channel.moved(item.offset);
    }
  }

  #tellClosing(closing: Closing): void {
    for (const listener of [...this.#closings]) {
      try {
        listener(closing);
      } catch (error) {
        this.#failed(error);
      }
    }
  }

  #failed(error: unknown): void {
    const { onError } = this.#options;
    if (onError !== undefined) return onError(error);
    // oxlint-disable-next-line no-console -- in a browser there is nothing else, and throwing would end a process of Node
    console.error(error);
  }
}
