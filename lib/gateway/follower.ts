import type { RecordedEntry } from '../emission/channel-history.js';
import type { ClosedNotice } from './closing.js';
import type { GatewayIdentity } from './gateway.options.js';

/** Somebody who follows channels of one tenant: a socket, or a stream of server-sent events. */
export interface Follower<I extends GatewayIdentity = GatewayIdentity> {
  readonly id: string;
  identity: I;
  /** For each channel it follows, the offset behind which it has got everything of it. */
  readonly followed: Map<string, number>;
  /** Grows whenever its rights may have changed: what was decided before holds no longer. */
  rights: number;
  /** Whether its connection is over. */
  readonly gone: boolean;
  /** How much waits for it to read what was sent before. */
  readonly waiting: number;
  /** Sends what it missed, before anything that comes after. */
  replay(missed: readonly RecordedEntry[], epoch: string): void;
  /** From here on it gets what the channel carries. At once; the promise is for what is told to others. */
  join(channel: string): void | Promise<void>;
  /** It gets nothing more of the channel. At once, as well. */
  leave(channel: string): void | Promise<void>;
  /** Gives it what has come, whatever channels that is on; absent where socket.io sees to it. */
  take?(entries: readonly RecordedEntry[], epoch: string): void;
  /** Tells it that something is missing which nobody can give it any more. */
  lose(offset: string): void;
  /** Tells it that it follows a channel no longer. */
  revoked(channel: string, reason: string): void;
  /** Ends its connection; with `discard`, without what still waits for it. */
  dismiss(notice: ClosedNotice, discard?: boolean): void;
  /** Ends its connection with the application's; absent where Nest sees to it. It may come back, and elsewhere. */
  stop?(): void;
}
