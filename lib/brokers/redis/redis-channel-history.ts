import { randomBytes } from 'node:crypto';
import { Logger } from '@nestjs/common';
import type {
  ChannelEntry,
  ChannelHistory,
  HistoryFeed,
  HistoryPosition,
  RecordedEntry,
} from '../../emission/channel-history.js';
import { writeEntry } from '../../emission/entry-text.js';
import { FollowedTenant, type StoredState } from './followed-tenant.js';
import { APPEND, READ, RENEW, runScript } from './history-scripts.js';
import { redisConnection, type RedisConnection } from './redis-connection.js';
import { redisHistoryOptions, type RedisHistoryOptions } from './redis-history.options.js';
import { readMessage, readStream } from './stored-entries.js';

/** How long a tenant's position outlives its last emission; who comes back later is told that he may have missed something. */
const POSITION_MS = 7 * 24 * 3_600_000;

/** How many entries are read at once. */
const READ_AT_ONCE = 1_000;

/**
 * The history of a gateway that runs in several processes: each tenant's last emissions in a Redis stream. Every process gets
 * what any of them commits, in the same order, and a client recovers at whichever it comes back to. socket.io's own adapters
 * are not needed for that.
 *
 * `EmissionsGatewayModule.forRoot({ history: new RedisChannelHistory({ client }), … })`. Works with Redis 6.2 and newer, also as a cluster
 * (the keys of a tenant share a slot). While Redis cannot be reached, the gateway's deliveries fail, and are retried as its
 * consumer is configured; of what was not taken in, and of what Redis forgets, those who follow it are told with `gap`.
 */
export class RedisChannelHistory implements ChannelHistory {
  readonly shared = true;
  readonly #options: RedisHistoryOptions;
  /** Who it is among those that share it. */
  readonly #name = randomBytes(8).toString('base64url');
  readonly #redis: RedisConnection;
  readonly #tenants = new Map<string, FollowedTenant>();
  readonly #logger = new Logger('Emissions');
  /** What came for a tenant before it was known where it stands. */
  readonly #early = new Map<string, string[]>();
  /** Tenants of whom something may not have been taken in: those who follow them are to be told. */
  readonly #doubted = new Set<string>();
  #feed: HistoryFeed | undefined;
  #poll: NodeJS.Timeout | undefined;
  #polling = false;
  #troubled = false;

  /** @throws ConfigurationError when an option is wrong */
  constructor(options: Pick<RedisHistoryOptions, 'client'> & Partial<RedisHistoryOptions>) {
    this.#options = redisHistoryOptions.resolve(options, 'RedisChannelHistory');
    this.#redis = redisConnection(this.#options.client);
  }

  async open(feed: HistoryFeed): Promise<void> {
    this.#feed = feed;
    await this.#redis.listen({
      message: (channel, message) => this.#hear(channel, message),
      // What was published while the connection was broken was published to nobody.
      ready: () => void this.#catchUpAll(),
      error: (error) => this.#report(error),
    });
    await this.#redis.subscribe(this.#told);
    this.#poll = setInterval(() => void this.#catchUpAll(), this.#options.pollMs);
    this.#poll.unref();
  }

  async append(tenant: string, entries: readonly ChannelEntry[]): Promise<void> {
    const { size, maxAgeMs } = this.#options;
    const known = this.#tenants.get(this.#channel(tenant));
    const args = [
      ...this.#position(known?.epoch, known?.recent.head),
      String(size),
      String(maxAgeMs),
      this.#channel(tenant),
      ...entries.map(writeEntry),
    ];
    try {
      await runScript(this.#redis, APPEND, this.#keys(tenant), args);
    } catch (error) {
      this.#doubted.add(tenant);
      throw error;
    }
  }

  async follow(tenant: string): Promise<HistoryPosition> {
    const channel = this.#channel(tenant);
    const early: string[] = [];
    this.#early.set(channel, early);
    try {
      await this.#redis.subscribe(channel);
      const { epoch, head } = await this.#read(tenant, Number.MAX_SAFE_INTEGER - 1, '', 0);
      const followed = new FollowedTenant(
        tenant,
        { epoch, head },
        this.#options,
        this.#feed!,
        (offset, known) => this.#read(tenant, offset, known, offset),
      );
      this.#tenants.set(channel, followed);
      this.#early.delete(channel);
      for (const message of early) this.#hear(channel, message);
      return { epoch, offset: head };
    } catch (error) {
      this.#early.delete(channel);
      throw error;
    }
  }

  unfollow(tenant: string): void {
    const channel = this.#channel(tenant);
    if (!this.#tenants.delete(channel)) return;
    this.#redis.unsubscribe(channel).catch((error: unknown) => this.#report(error));
  }

  read(
    tenant: string,
    channel: string,
    after: HistoryPosition,
    upTo: number,
  ): readonly RecordedEntry[] | undefined | Promise<readonly RecordedEntry[] | undefined> {
    const followed = this.#tenants.get(this.#channel(tenant));
    if (followed?.epoch !== after.epoch) return undefined;
    const recent = followed.recent.since(channel, after.offset);
    const wanted = (entries: readonly RecordedEntry[]) =>
      entries.filter(({ offset, channels }) => offset <= upTo && channels.includes(channel));
    return recent === undefined
      ? this.#fetch(tenant, after, upTo).then((all) => all && wanted(all))
      : wanted(recent);
  }

  async catchUp(tenant: string): Promise<void> {
    await this.#tenants.get(this.#channel(tenant))?.catchUp();
  }

  async tell(message: string): Promise<void> {
    await this.#redis.command('PUBLISH', this.#told, `${this.#name} ${message}`);
  }

  expire(): void {
    const now = Date.now();
    for (const { recent } of this.#tenants.values()) recent.expire(now);
  }

  close(): void {
    clearInterval(this.#poll);
    this.#tenants.clear();
    this.#redis.close();
  }

  /** What the stream holds of a time before this process followed the tenant, or has forgotten. */
  async #fetch(
    tenant: string,
    { epoch, offset }: HistoryPosition,
    upTo: number,
  ): Promise<RecordedEntry[] | undefined> {
    const found: RecordedEntry[] = [];
    for (let at = offset; at < upTo; at = found.at(-1)!.offset) {
      // oxlint-disable-next-line no-await-in-loop
      const state = await this.#read(tenant, at, epoch, at);
      if (state.epoch !== epoch || state.entries[0]?.offset !== at + 1) return undefined;
      found.push(...state.entries);
    }
    return found;
  }

  async #read(tenant: string, after: number, epoch: string, head: number): Promise<StoredState> {
    const answer = await runScript(this.#redis, READ, this.#keys(tenant), [
      ...this.#position(epoch, head),
      String(after),
      String(READ_AT_ONCE),
    ]);
    const [found, newest, entries] = answer as [string, string, unknown];
    return { epoch: found, head: Number(newest), entries: readStream(entries) };
  }

  async #renew(tenant: string): Promise<void> {
    const args = [newEpoch(), String(POSITION_MS), this.#channel(tenant)];
    await runScript(this.#redis, RENEW, this.#keys(tenant), args);
    this.#doubted.delete(tenant);
  }

  #hear(channel: string, message: string): void {
    if (channel === this.#told) {
      const space = message.indexOf(' ');
      if (message.slice(0, space) !== this.#name) this.#feed!.hear(message.slice(space + 1));
      return;
    }
    const early = this.#early.get(channel);
    if (early !== undefined) return void early.push(message);
    const followed = this.#tenants.get(channel);
    if (followed === undefined) return;
    const { epoch, entries } = readMessage(message);
    followed.hear(epoch, entries);
  }

  /** Looks for what was published to nobody. A tenant that is told of often would have noticed a hole by itself. */
  async #catchUpAll(): Promise<void> {
    if (this.#polling) return;
    this.#polling = true;
    try {
      await Promise.all([...this.#doubted].map((tenant) => this.#renew(tenant)));
      const quiet = [...this.#tenants.values()].filter((tenant) => tenant.wasQuiet());
      await Promise.all(quiet.map((tenant) => tenant.catchUp()));
      this.#troubled = false;
    } catch (error) {
      this.#report(error);
    } finally {
      this.#polling = false;
    }
  }

  /** Once for each time that it cannot be reached. */
  #report(error: unknown): void {
    if (this.#troubled) return;
    this.#troubled = true;
    this.#logger.error(
      'RedisChannelHistory cannot reach Redis; browsers get nothing of other processes until it can, and then what they missed.',
      error instanceof Error ? error.stack : error,
    );
  }

  /** What both scripts take first. */
  #position(epoch = '', head = 0): string[] {
    return [newEpoch(), epoch, String(head), String(POSITION_MS)];
  }

  /** Braces make Redis keep both in one slot; with something in them, whatever the tenant is called. */
  #keys(tenant: string): string[] {
    const name = `${this.#options.prefix}{t:${tenant}}`;
    return [`${name}:log`, `${name}:position`];
  }

  #channel(tenant: string): string {
    return `${this.#options.prefix}tenant:${tenant}`;
  }

  /** Where processes tell one another what is of no tenant's channels. */
  get #told(): string {
    return `${this.#options.prefix}told`;
  }
}

function newEpoch(): string {
  return randomBytes(8).toString('base64url');
}
