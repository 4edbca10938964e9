import type { Socket } from 'socket.io';
import type { RecordedEntry } from '../emission/channel-history.js';
import { roomOf } from './channel.js';
import { ChannelTurns } from './channel-turns.js';
import { cut, dismiss, queueOf, type ClosedNotice } from './closing.js';
import type { Follower } from './follower.js';
import { itemOf } from './frame.js';
import type { GatewayIdentity } from './gateway.options.js';
import { Pace } from './pace.js';

/** How many emissions of a replay go in one frame. */
const REPLAYED_AT_ONCE = 100;

/** How many requests may come at once beside two for each channel. */
const EXTRA_REQUESTS = 50;

/** One socket that was admitted: who is there, what it follows, what it has asked. */
export class Connection<I extends GatewayIdentity = GatewayIdentity> implements Follower<I> {
  readonly followed: Map<string, number> = new Map();
  readonly turns: ChannelTurns = new ChannelTurns();
  readonly pace: Pace;
  rights = 0;
  #closing = false;

  constructor(
    readonly socket: Socket,
    public identity: I,
    limits: { maxRequestsPerSecond: number; maxChannels: number },
  ) {
    this.pace = new Pace(limits.maxRequestsPerSecond, 2 * limits.maxChannels + EXTRA_REQUESTS);
  }

  get id(): string {
    return this.socket.id;
  }

  get gone(): boolean {
    return this.#closing || !this.socket.connected;
  }

  get waiting(): number {
    return queueOf(this.socket);
  }

  replay(missed: readonly RecordedEntry[], epoch: string): void {
    for (let i = 0; i < missed.length; i += REPLAYED_AT_ONCE) {
      const part = missed.slice(i, i + REPLAYED_AT_ONCE);
      this.socket.emit(
        'emissions',
        part.map((entry) => itemOf(entry, epoch)),
        part.map(({ channels }) => channels),
      );
    }
  }

  join(channel: string): void | Promise<void> {
    return this.socket.join(roomOf(this.identity.tenant, channel));
  }

  leave(channel: string): void | Promise<void> {
    if (!this.followed.delete(channel)) return undefined;
    return this.socket.leave(roomOf(this.identity.tenant, channel));
  }

  lose(offset: string): void {
    this.socket.emit('gap', { offset });
  }

  revoked(channel: string, reason: string): void {
    this.socket.emit('revoked', { channel, message: reason });
  }

  dismiss(notice: ClosedNotice, discard = false): void {
    if (this.gone) return;
    this.#closing = true;
    for (const channel of [...this.followed.keys()]) void this.leave(channel);
    if (discard) cut(this.socket, notice);
    else dismiss(this.socket, notice);
  }
}
