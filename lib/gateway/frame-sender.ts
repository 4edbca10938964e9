import type { Namespace } from 'socket.io';
import type { RecordedEntry } from '../emission/channel-history.js';
import { signal } from '../telemetry/signal.js';
import { roomOf } from './channel.js';
import type { Follower } from './follower.js';
import { framesOf } from './frame.js';
import { SlowClients } from './slow-clients.js';

/**
 * Sends what has come to those who follow it in this process. Each frame is encoded once for all sockets; one in several of its
 * rooms gets it once. Whoever does not read is cut off before what waits for it grows too long.
 */
export class FrameSender {
  /** Set when socket.io has a server. */
  server: Namespace | undefined = undefined;
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
    if (this.server !== undefined) {
      for (const { channels, items } of framesOf(entries, epoch)) {
        const rooms = channels.map((channel) => roomOf(tenant, channel));
        this.server.local.to(rooms).emit('emissions', items, channels);
      }
    }
    this.pressed = false;
    for (const follower of followers) {
      follower.take?.(entries, epoch);
      const { waiting } = follower;
      if (waiting * 2 > this.maxClientQueue) this.pressed = true;
      if (waiting > this.maxClientQueue) this.cutOff(follower);
    }
  }

  /** Ends the connection of one who has more waiting than it may; it may come back and recover. */
  cutOff(follower: Follower): void {
    const { id: socket, gone, waiting: count } = follower;
    if (gone) return;
    const { tenant, subject } = follower.identity;
    const capacity = this.maxClientQueue;
    this.slow.add();
    signal('emissions:gateway:slow', () => ({ socket, tenant, subject, count, capacity }));
    follower.dismiss(
      {
        code: 'EMISSIONS_SLOW_CONSUMER',
        message: `slow-consumer: ${count} frames waited to be read, more than ${capacity}. Connect again, and subscribe with after.`,
      },
      true,
    );
  }
}
