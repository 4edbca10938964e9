import type {
  ChannelEntry,
  ChannelHistory,
  HistoryFeed,
  HistoryPosition,
  RecordedEntry,
} from '../emission/channel-history.js';
import type { Follower } from './follower.js';
import { readOffset, writeOffset } from './offset.js';

/** Where a follower stands when it has begun to follow a channel. */
export interface Following {
  readonly offset: string;
  readonly recovered: boolean;
  /** How many emissions it got that it had missed. */
  readonly replayed: number;
}

/** Where to what a history tells goes. */
export interface LiveOutlet {
  /** Sends what has come to those who follow it. */
  dispatch(
    tenant: string,
    entries: readonly RecordedEntry[],
    epoch: string,
    followers: Iterable<Follower>,
  ): void;
  /** Takes what another process has told. */
  hear(message: string): void;
}

/** What this process knows of a tenant that is followed here. */
interface Tenant {
  epoch: string;
  /** The newest that was given to the followers. */
  offset: number;
  readonly followers: Set<Follower>;
  /** How many are about to follow. */
  asking: number;
  /** When it had followers last. */
  seen: number;
}

/**
 * Brings followers what their channels carry: what they missed first, then what comes, without a hole or a repetition between
 * the two. Each tenant is known from when somebody follows it until nobody has for some time.
 */
export class LiveChannels implements HistoryFeed {
  readonly #tenants = new Map<string, Tenant>();
  readonly #opening = new Map<string, Promise<Tenant>>();

  constructor(
    readonly history: ChannelHistory,
    private readonly outlet: LiveOutlet,
  ) {}

  append(tenant: string, entries: readonly ChannelEntry[]): void | Promise<void> {
    return this.history.append(tenant, entries);
  }

  receive(name: string, entries: readonly RecordedEntry[]): void {
    const tenant = this.#tenants.get(name);
    if (tenant === undefined || entries.length === 0) return;
    tenant.offset = entries.at(-1)!.offset;
    if (tenant.followers.size > 0)
      this.outlet.dispatch(name, entries, tenant.epoch, tenant.followers);
  }

  lose(name: string, { epoch, offset }: HistoryPosition): void {
    const tenant = this.#tenants.get(name);
    if (tenant === undefined) return;
    tenant.epoch = epoch;
    tenant.offset = offset;
    for (const follower of tenant.followers) {
      for (const channel of follower.followed.keys()) follower.followed.set(channel, offset);
      follower.lose(writeOffset(epoch, offset));
    }
  }

  hear(message: string): void {
    this.outlet.hear(message);
  }

  /**
   * Lets a follower follow a channel, behind `after` when that can be had whole. `mayJoin` is asked in the same breath in
   * which it joins; when it says no, nothing has happened and there is no answer.
   */
  async follow(
    follower: Follower,
    channel: string,
    after: string | undefined,
    mayJoin: () => boolean,
  ): Promise<Following | undefined> {
    const tenant = await this.#tenantOf(follower.identity.tenant);
    tenant.asking++;
    try {
      const from = after === undefined ? undefined : readOffset(after);
      // It was at a process that was further than this one.
      if (from !== undefined && from.epoch === tenant.epoch && from.offset > tenant.offset)
        await this.history.catchUp?.(follower.identity.tenant);

      const missed: RecordedEntry[] = [];
      let recovered = after === undefined || isKnown(from, tenant);
      let at = from?.offset ?? tenant.offset;
      while (from !== undefined && recovered && at !== tenant.offset) {
        const upTo = tenant.offset;
        const behind = { epoch: from.epoch, offset: at };
        const answer = this.history.read(follower.identity.tenant, channel, behind, upTo);
        const found = answer instanceof Promise ? await answer : answer;
        missed.push(...(found ?? []));
        at = upTo;
        recovered = found !== undefined && isKnown({ epoch: from.epoch, offset: at }, tenant);
      }
      // From the last look at the tenant to here nothing is awaited: what came in between would be lost, or come twice.
      if (!mayJoin()) return undefined;
      return await this.#join(follower, channel, tenant, recovered ? missed : undefined, from);
    } finally {
      tenant.asking--;
    }
  }

  /** How far a tenant has come here. */
  async offsetOf(name: string): Promise<string> {
    const { epoch, offset } = await this.#tenantOf(name);
    return writeOffset(epoch, offset);
  }

  /** Those in this process. */
  followersOf(name: string): Iterable<Follower> {
    return this.#tenants.get(name)?.followers ?? [];
  }

  /** A follower is gone, or follows nothing any more. */
  leave(follower: Follower): void {
    const tenant = this.#tenants.get(follower.identity.tenant);
    if (tenant === undefined) return;
    tenant.followers.delete(follower);
    tenant.seen = Date.now();
  }

  /** Forgets what is too old, and tenants that nobody has followed for so long. */
  expire(maxAgeMs: number): void {
    this.history.expire?.();
    const oldest = Date.now() - maxAgeMs;
    for (const [name, { followers, asking, seen }] of this.#tenants) {
      if (followers.size > 0 || asking > 0 || seen > oldest) continue;
      if (this.#opening.has(name)) continue;
      this.#tenants.delete(name);
      this.history.unfollow(name);
    }
  }

  async #join(
    follower: Follower,
    channel: string,
    tenant: Tenant,
    missed: RecordedEntry[] | undefined,
    from: HistoryPosition | undefined,
  ): Promise<Following> {
    const news = missed?.filter((entry) => !hasGot(follower, entry)) ?? [];
    const { epoch, offset } = tenant;
    tenant.followers.add(follower);
    if (news.length > 0) follower.replay(news, epoch);
    const joined = follower.join(channel);
    const behind = missed !== undefined && from !== undefined ? from.offset : offset;
    follower.followed.set(channel, Math.min(behind, follower.followed.get(channel) ?? behind));
    await joined;
    return {
      offset: writeOffset(epoch, offset),
      recovered: missed !== undefined,
      replayed: news.length,
    };
  }

  async #tenantOf(name: string): Promise<Tenant> {
    const opening = this.#opening.get(name);
    if (opening !== undefined) return opening;
    const known = this.#tenants.get(name);
    if (known !== undefined) {
      known.seen = Date.now();
      return known;
    }
    const opened = this.#open(name).finally(() => this.#opening.delete(name));
    this.#opening.set(name, opened);
    return opened;
  }

  async #open(name: string): Promise<Tenant> {
    // Known before it is asked for: what comes while the answer is on its way moves it on.
    const tenant: Tenant = {
      epoch: '',
      offset: -1,
      followers: new Set(),
      asking: 0,
      seen: Date.now(),
    };
    this.#tenants.set(name, tenant);
    try {
      const { epoch, offset } = await this.history.follow(name);
      if (tenant.epoch === '') tenant.epoch = epoch;
      if (tenant.epoch === epoch) tenant.offset = Math.max(tenant.offset, offset);
      return tenant;
    } catch (error) {
      this.#tenants.delete(name);
      throw error;
    }
  }
}

/** Whether a position is one that the tenant has been at. */
function isKnown(position: HistoryPosition | undefined, { epoch, offset }: Tenant): boolean {
  return position?.epoch === epoch && position.offset <= offset;
}

/** Whether it came on another of the follower's channels. */
function hasGot({ followed }: Follower, { channels, offset }: RecordedEntry): boolean {
  return channels.some((channel) => (followed.get(channel) ?? Infinity) < offset);
}
