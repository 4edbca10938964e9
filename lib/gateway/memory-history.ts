import { randomBytes } from 'node:crypto';
import type {
  ChannelEntry,
  ChannelHistory,
  HistoryFeed,
  HistoryPosition,
  RecordedEntry,
} from '../emission/channel-history.js';
import { RecentEntries } from '../emission/recent-entries.js';
import type { HistoryOptions } from './history.options.js';

interface Book {
  readonly epoch: string;
  readonly recent: RecentEntries;
}

/** The history of one process: in its memory, for tenants that have followers, or had them not long ago. */
export class MemoryHistory implements ChannelHistory {
  readonly shared = false;
  readonly #books = new Map<string, Book>();
  #feed: HistoryFeed | undefined;

  constructor(private readonly options: HistoryOptions) {}

  open(feed: HistoryFeed): void {
    this.#feed = feed;
  }

  append(tenant: string, entries: readonly ChannelEntry[]): void {
    const recent = this.#books.get(tenant)?.recent;
    // Nobody there can have missed anything: whoever comes first begins an epoch.
    if (recent === undefined) return;
    const now = Date.now();
    const recorded: RecordedEntry[] = [];
    for (const { channels, body } of entries) {
      const entry = { offset: recent.head + 1, channels, body };
      recent.push(entry, now);
      recorded.push(entry);
    }
    this.#feed?.receive(tenant, recorded);
  }

  follow(tenant: string): HistoryPosition {
    const { epoch, recent } = this.#books.get(tenant) ?? this.#begin(tenant);
    return { epoch, offset: recent.head };
  }

  unfollow(tenant: string): void {
    this.#books.delete(tenant);
  }

  read(
    tenant: string,
    channel: string,
    after: HistoryPosition,
    upTo: number,
  ): RecordedEntry[] | undefined {
    const book = this.#books.get(tenant);
    if (book?.epoch !== after.epoch) return undefined;
    return book.recent.since(channel, after.offset)?.filter(({ offset }) => offset <= upTo);
  }

  expire(): void {
    const now = Date.now();
    for (const { recent } of this.#books.values()) recent.expire(now);
  }

  renew(): void {
    for (const tenant of [...this.#books.keys()]) {
      const { epoch } = this.#begin(tenant);
      this.#feed?.lose(tenant, { epoch, offset: 0 });
    }
  }

  close(): void {
    this.#books.clear();
  }

  #begin(tenant: string): Book {
    const book = {
      epoch: randomBytes(8).toString('base64url'),
      recent: new RecentEntries(0, this.options),
    };
    this.#books.set(tenant, book);
    return book;
  }
}
