import type { Namespace } from 'socket.io';
import type { RecordedEntry } from '../emission/channel-history.js';
import { signal } from '../telemetry/signal.js';
import { roomOf } from './channel.js';
import type { Follower } from './follower.js';
import { framesOf } from './frame.js';
import { SlowClients } from './slow-clients.js';

/**
 * Sends what has come to those who follow it. Each frame is encoded once for all sockets; one in several of its rooms gets it
 * once. Whoever does not read is cut off before what waits for it grows too long.
 */
export class FrameSender {
  /** Set when socket.io has a server. */
  server: Namespace | undefined;
  /** Whether socket.io brings frames to other processes; else each process gets them from the history. */
  everywhere = false;
  /** Whether somebody has much waiting: the next batch had better let it be written first. */
  pressed = false;

  readonly slow: SlowClients = new SlowClients();

  constructor(private readonly maxClientQueue: number) {}

  send(
    tenant: string,
    entries: readonly RecordedEntry[],
    epoch: string,
    followers: Iterable<Follower>,
  ): void {
    const target = this.everywhere ? this.server : this.server?.local;
    if (target !== undefined) {
      for (const { channels, items } of framesOf(entries, epoch)) {
        const rooms = channels.map((channel) => roomOf(tenant, channel));
        target.to(rooms).emit('emissions', items, channels);
      }
    }
    this.pressed = false;
    for (const follower of followers) {
      follower.take?.(entries, epoch);
      this.#measure(follower);
    }
  }

  #measure(follower: Follower): void {
    const { waiting } = follower;
    if (waiting * 2 > this.maxClientQueue) this.pressed = true;
    if (waiting <= this.maxClientQueue) return;
    const { tenant, subject } = follower.identity;
    this.slow.add();
    signal('emissions:gateway:slow', () => ({
      socket: follower.id,
      tenant,
      subject,
      count: waiting,
      capacity: this.maxClientQueue,
    }));
    follower.dismiss(
      {
        code: 'EMISSIONS_SLOW_CONSUMER',
        message: `slow-consumer: ${waiting} frames waited to be read, more than ${this.maxClientQueue}. Connect again, and subscribe with after.`,
      },
      true,
    );
  }
}
