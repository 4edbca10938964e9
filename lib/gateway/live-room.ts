import { Logger } from '@nestjs/common';
import type { Namespace } from 'socket.io';
import type { ChannelEntry } from '../emission/channel-history.js';
import { ConfigurationError } from '../emission/emission.errors.js';
import type { Emission } from '../emission/emission.js';
import type { LiveReport } from '../emission/live-report.js';
import { Admissions } from './admissions.js';
import { channelsOf, checkEntities } from './channel.js';
import { Cluster, type Order } from './cluster.js';
import type { Follower } from './follower.js';
import { FrameSender } from './frame-sender.js';
import type { GatewayPort } from './gateway.adapter.js';
import { isHistory, type GatewayIdentity, type GatewayOptions } from './gateway.options.js';
import { historyOptions, type HistoryOptions } from './history.options.js';
import { LiveChannels, type Following } from './live-channels.js';
import { MemoryHistory } from './memory-history.js';
import { Members, type MemberFilter } from './members.js';
import { Relay } from './relay.js';
import type { Presence } from './request.js';
import { Subscriptions, type Verdict } from './subscriptions.js';
import { toWire } from './wire.js';

/** What the gateway decides. */
export interface RoomRules<I extends GatewayIdentity> {
  tenantOf(emission: Emission): string | undefined;
  authorize(identity: I, channel: string): Verdict | Promise<Verdict>;
}

const LONGEST_SWEEP_MS = 30_000;

/** Where emissions and followers meet: the followers of one gateway, its history, and what goes from one to the other. */
export class LiveRoom<I extends GatewayIdentity> implements GatewayPort {
  readonly #members = new Members<I>();
  readonly #admissions = new Admissions();
  readonly #sender: FrameSender;
  readonly #live: LiveChannels;
  readonly #subscriptions: Subscriptions<I>;
  readonly #rememberMs: number;
  #cluster: Cluster | undefined;
  #relay: Relay | undefined;
  #closing = false;
  #sweep: NodeJS.Timeout | undefined;

  constructor(
    private readonly options: GatewayOptions<I>,
    private readonly rules: RoomRules<I>,
  ) {
    const { history, maxClientQueue, maxChannels, authorizeTimeoutMs } = options;
    const kept = isHistory(history) ? historyOptions.resolve({}, '') : (history as HistoryOptions);
    this.#rememberMs = kept.maxAgeMs;
    this.#sender = new FrameSender(maxClientQueue);
    this.#live = new LiveChannels(isHistory(history) ? history : new MemoryHistory(kept), {
      dispatch: (tenant, entries, epoch, followers) =>
        this.#sender.send(tenant, entries, epoch, followers),
      hear: (message) => this.#cluster?.hear(message),
    });
    this.#subscriptions = new Subscriptions(this.#live, {
      maxChannels,
      maxClientQueue,
      authorizeTimeoutMs,
      authorize: (identity: I, channel) => rules.authorize(identity, channel),
    });
  }

  get pressed(): boolean {
    return this.#sender.pressed;
  }

  get report(): LiveReport {
    const { count: slow, lately: slowLately } = this.#sender.slow;
    return { clients: this.#members.size, slow, slowLately };
  }

  async open(): Promise<void> {
    await this.#live.history.open(this.#live);
    const every = Math.min(Math.max(this.#rememberMs / 2, 10), LONGEST_SWEEP_MS);
    this.#sweep = setInterval(() => this.#live.expire(this.#rememberMs), every);
    this.#sweep.unref();
  }

  /** Ends what would keep the application from closing, from now on. */
  beginToClose(): void {
    this.#closing = true;
    this.#members.stop();
  }

  async close(): Promise<void> {
    clearInterval(this.#sweep);
    this.#relay?.close();
    await this.#live.history.close();
  }

  serve(server: Namespace): void {
    if (this.#cluster !== undefined) return;
    const { history } = this.#live;
    this.#sender.server = server;
    this.#cluster = new Cluster(server, history, {
      obey: (order) => void this.#obey(order),
      presentHere: (tenant, channel) => this.#presentHere(tenant, channel),
    });
    if (!this.#cluster.connected || history.shared) return;
    this.#relay = new Relay(server, {
      take: (tenant, entries) => void this.#live.append(tenant, entries),
      lost: () => history.renew?.(),
    });
    new Logger('Emissions').warn(
      'socket.io connects several processes here, but each keeps a history of its own, and whoever comes back to another one is ' +
        'told that it may have missed something. Write history: new RedisChannelHistory({ client }) (nestjs-emissions/redis) for one that all share.',
    );
  }

  tenantOf(emission: Emission): string | undefined {
    return this.rules.tenantOf(emission);
  }

  entryOf(emission: Emission): ChannelEntry {
    const { serialize, channels } = this.options;
    const own = channels === undefined ? [] : checkEntities(channels(emission));
    const body = serialize(emission);
    // What cannot be encoded is to fail alone, and before it is in the history.
    if (serialize !== toWire && !ArrayBuffer.isView(body)) JSON.stringify(body);
    return { channels: [...channelsOf(emission), ...own], body };
  }

  append(tenant: string, entries: readonly ChannelEntry[]): void | Promise<void> {
    const taken = this.#live.append(tenant, entries);
    this.#relay?.send(tenant, entries);
    return taken;
  }

  /** Finds out who somebody is; what is ordered about them meanwhile holds for them, too. */
  admit(identify: () => Promise<I>): Promise<I> {
    return this.#admissions.admit(identify);
  }

  enter(member: Follower<I>): void {
    this.#members.add(member);
    if (this.#closing) member.stop?.();
  }

  exit(member: Follower<I>): void {
    this.#members.delete(member);
    this.#live.leave(member);
  }

  cutOff(member: Follower<I>): void {
    this.#sender.cutOff(member);
  }

  join(member: Follower<I>, channel: string, after?: string): Promise<Following> {
    return this.#subscriptions.join(member, channel, after);
  }

  /** Those of a tenant, in this process. */
  followersOf(tenant: string): Iterable<Follower> {
    return this.#live.followersOf(tenant);
  }

  offsetOf(tenant: string): Promise<string> {
    return this.#live.offsetOf(tenant);
  }

  async presence(tenant: string, channel: string): Promise<Presence[]> {
    if (!this.options.presence) {
      throw new ConfigurationError(
        'Presence is off. Write EmissionsGatewayModule.forRoot({ presence: true, … }).',
      );
    }
    const elsewhere = await this.#cluster?.presentElsewhere(tenant, channel);
    return sum([...this.#presentHere(tenant, channel), ...(elsewhere ?? [])]);
  }

  async refresh(identity: I): Promise<void> {
    const order: Order = { do: 'refresh', identity };
    this.#cluster?.tell(order);
    await this.#obey(order);
  }

  disconnect(filter: MemberFilter): void {
    const order: Order = { do: 'disconnect', ...filter };
    this.#cluster?.tell(order);
    void this.#obey(order);
  }

  revoke(filter: MemberFilter & { readonly channel?: string }): void {
    const order: Order = { do: 'revoke', ...filter };
    this.#cluster?.tell(order);
    void this.#obey(order);
  }

  /** Does what was asked here, or by another process. Never rejects; what is no promise is done at once. */
  async #obey(order: Order): Promise<void> {
    this.#admissions.hear(order);
    if (order.do === 'refresh') {
      const identity = order.identity as I;
      const members = this.#members.same(identity);
      for (const member of members) this.#members.renew(member, identity);
      await Promise.all(members.map((member) => this.#subscriptions.recheck(member)));
      return;
    }
    for (const member of this.#members.matching(order)) {
      if (order.do === 'disconnect') {
        member.dismiss({
          code: 'EMISSIONS_DISCONNECTED',
          message: 'The application has ended this connection.',
        });
        continue;
      }
      member.rights++;
      const channels = order.channel === undefined ? [...member.followed.keys()] : [order.channel];
      for (const channel of channels) {
        this.#subscriptions.revoke(member, channel, 'the right to follow it was revoked.');
      }
    }
  }

  #presentHere(tenant: string, channel: string): Presence[] {
    const there = [...this.#live.followersOf(tenant)].filter(({ followed }) =>
      followed.has(channel),
    );
    return sum(there.map(({ identity: { subject } }) => ({ subject, count: 1 })));
  }
}

/** Each subject once. */
function sum(all: readonly Presence[]): Presence[] {
  const counts = new Map<string | undefined, number>();
  for (const { subject, count } of all) counts.set(subject, (counts.get(subject) ?? 0) + count);
  return Array.from(counts, ([subject, count]) => ({ subject, count }));
}
