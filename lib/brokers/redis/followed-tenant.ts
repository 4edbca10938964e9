import type { HistoryFeed, RecordedEntry } from '../../emission/channel-history.js';
import { RecentEntries, type HistoryBounds } from '../../emission/recent-entries.js';

/** What Redis answers about a tenant: where it stands, and what is kept behind an offset. */
export interface StoredState {
  readonly epoch: string;
  readonly head: number;
  readonly entries: readonly RecordedEntry[];
}

/**
 * One tenant that this process follows. What is published is a hint: it is taken when it fits behind what came before, and
 * else the truth is read from the stream, one reading at a time.
 */
export class FollowedTenant {
  recent: RecentEntries;
  epoch: string;
  #reading: Promise<void> | undefined;
  #again = false;
  #heard = false;

  constructor(
    readonly name: string,
    position: { readonly epoch: string; readonly head: number },
    private readonly bounds: HistoryBounds,
    private readonly feed: HistoryFeed,
    private readonly readBehind: (offset: number, epoch: string) => Promise<StoredState>,
  ) {
    this.epoch = position.epoch;
    this.recent = new RecentEntries(position.head, bounds);
  }

  /** Takes what was published, or reads what is missing before it. */
  hear(epoch: string, entries: readonly RecordedEntry[]): void {
    this.#heard = true;
    const fits =
      this.#reading === undefined &&
      epoch === this.epoch &&
      (entries[0]?.offset ?? 0) <= this.recent.head + 1;
    if (fits) this.#take(entries);
    else this.catchUp().catch(() => {});
  }

  /** Takes everything there is. Rejects when it cannot be read; what was missed is missed until the next time. */
  catchUp(): Promise<void> {
    // What is being read may have been read before what was appended last.
    this.#again = true;
    this.#reading ??= this.#readAll();
    return this.#reading;
  }

  /** Whether nothing was heard since it was asked last. */
  wasQuiet(): boolean {
    const quiet = !this.#heard;
    this.#heard = false;
    return quiet;
  }

  async #readAll(): Promise<void> {
    try {
      await this.#read();
    } finally {
      this.#reading = undefined;
    }
  }

  async #read(): Promise<void> {
    while (this.#again) {
      this.#again = false;
      // oxlint-disable-next-line no-await-in-loop
      const { epoch, head, entries } = await this.readBehind(this.recent.head, this.epoch);
      const first = entries[0]?.offset ?? head + 1;
      if (epoch !== this.epoch || first > this.recent.head + 1) {
        // Nobody has what was in between any more. What is left of the new epoch is read behind its beginning.
        const behind = epoch === this.epoch ? first - 1 : head;
        this.epoch = epoch;
        this.recent = new RecentEntries(behind, this.bounds);
        this.feed.lose(this.name, { epoch, offset: behind });
      }
      this.#take(entries);
      if (this.recent.head < head) this.#again = true;
    }
  }

  #take(entries: readonly RecordedEntry[]): void {
    const news = entries.filter(({ offset }) => offset > this.recent.head);
    if (news.length === 0) return;
    const now = Date.now();
    for (const entry of news) this.recent.push(entry, now);
    this.feed.receive(this.name, news);
  }
}
