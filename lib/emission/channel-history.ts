/** One emission as the channels of its tenant carry it. */
export interface ChannelEntry {
  /** Every channel it is heard on. */
  readonly channels: readonly string[];
  /** What clients get of it, beside its offset. */
  readonly body: unknown;
}

/** One that a history has taken in. */
export interface RecordedEntry extends ChannelEntry {
  /** Its place among those of its tenant: 1 for the first of an epoch, each one greater than the one before. */
  readonly offset: number;
}

/** How far a tenant's history goes. Offsets of different epochs have nothing to do with one another. */
export interface HistoryPosition {
  /** Changes whenever offsets start over or were lost, so that nobody takes one history for another. */
  readonly epoch: string;
  /** The newest; 0 when there was none. */
  readonly offset: number;
}

/** What a history tells the process that follows it. */
export interface HistoryFeed {
  /**
   * Gives the next entries of a tenant that is followed: in order, none left out, none twice, whichever process appended
   * them.
   */
  receive(tenant: string, entries: readonly RecordedEntry[]): void;
  /** Says that something is missing before what comes next, which goes on behind this position. */
  lose(tenant: string, position: HistoryPosition): void;
  /** Gives what another process has told with `tell`. */
  hear(message: string): void;
}

/**
 * Numbers what the channels of each tenant carry, keeps the last of it, and brings it to every process that has followers:
 * the port behind recovery. `RedisChannelHistory` is the one for several processes.
 *
 * What an implementation may rely on: `open` is called once before anything else and `close` once behind everything else;
 * `read` and `catchUp` are asked only about tenants that are followed.
 */
export interface ChannelHistory {
  /** Whether other processes append to it and read it, too. */
  readonly shared: boolean;
  /** Connects; a throw fails the start of the application. */
  open(feed: HistoryFeed): void | Promise<void>;
  /** Takes entries of one tenant in, behind all others. A throw means that they were not taken. */
  append(tenant: string, entries: readonly ChannelEntry[]): void | Promise<void>;
  /** From here on the feed gets what is appended for the tenant, beginning behind the position that is returned. */
  follow(tenant: string): HistoryPosition | Promise<HistoryPosition>;
  /** The feed gets nothing more of the tenant. */
  unfollow(tenant: string): void;
  /**
   * The entries of a channel behind `after` and up to `upTo`, which the feed has got already; `undefined` when it cannot be
   * told any more what they were. A promise when they have to be fetched: the feed may get further ones meanwhile.
   */
  read(
    tenant: string,
    channel: string,
    after: HistoryPosition,
    upTo: number,
  ): readonly RecordedEntry[] | undefined | Promise<readonly RecordedEntry[] | undefined>;
  /** Gives the feed everything that any process has appended for the tenant until now. */
  catchUp?(tenant: string): Promise<void>;
  /** Forgets what has become too old; called now and then. */
  expire?(): void;
  /**
   * Brings a message to the feed of every other process that shares this history. Without it, processes have what is revoked,
   * disconnected and refreshed from one another by socket.io's adapter alone.
   */
  tell?(message: string): Promise<void>;
  /**
   * Begins a new epoch of every tenant that is followed, and tells the feed what it has lost: for a history that is not shared,
   * where something that another process carried has not come.
   */
  renew?(): void;
  close(): void | Promise<void>;
}
