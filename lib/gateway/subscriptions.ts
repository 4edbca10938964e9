import { signal } from '../telemetry/signal.js';
import type { Follower } from './follower.js';
import { ChannelDeniedError } from './gateway.errors.js';
import type { GatewayIdentity } from './gateway.options.js';
import { inTime } from './in-time.js';
import type { Following, LiveChannels } from './live-channels.js';
import { reasonOf } from './request.js';

/** Whether a channel may be followed: `true`, or why not. */
export type Verdict = boolean | string;

/** What decides, and within which bounds. */
export interface SubscriptionRules<I extends GatewayIdentity> {
  readonly maxChannels: number;
  /** Whoever has more waiting gets nothing more of what it missed. */
  readonly maxClientQueue: number;
  readonly authorizeTimeoutMs: number;
  authorize(identity: I, channel: string): Verdict | Promise<Verdict>;
}

const GONE = 'the connection is gone.';

/** Lets followers into channels, when they may, and out of them, when they may no longer. */
export class Subscriptions<I extends GatewayIdentity> {
  constructor(
    private readonly live: LiveChannels,
    private readonly rules: SubscriptionRules<I>,
  ) {}

  /** @throws ChannelDeniedError when the follower may not, is gone, or follows enough already */
  async join(follower: Follower<I>, channel: string, after?: string): Promise<Following> {
    for (;;) {
      // It may have left while it waited for its turn, and that is nobody's business to decide on any more.
      if (follower.gone) throw new ChannelDeniedError(channel, GONE);
      const { rights } = follower;
      if (!follower.followed.has(channel)) await this.#authorize(follower, channel);
      // Who does not read, and asks again and again for what it missed, must not make that pile up.
      const full = after !== undefined && follower.waiting > this.rules.maxClientQueue;
      const following = await this.live.follow(follower, channel, full ? '' : after, () => {
        if (follower.rights !== rights) return false;
        this.#checkRoom(follower, channel);
        return true;
      });
      if (following === undefined) continue;
      const { tenant } = follower.identity;
      signal('emissions:gateway:subscribed', () => ({ socket: follower.id, tenant, channel }));
      if (after !== undefined) {
        const { recovered, replayed: count } = following;
        signal('emissions:gateway:recovered', () => ({
          socket: follower.id,
          tenant,
          channel,
          recovered,
          count,
        }));
      }
      return following;
    }
  }

  /** Asks again for each channel that a follower is on, and takes it out of those it may not follow any more. */
  async recheck(follower: Follower<I>): Promise<void> {
    await Promise.all(
      [...follower.followed.keys()].map(async (channel) => {
        try {
          await this.#authorize(follower, channel);
        } catch (error) {
          this.revoke(follower, channel, reasonOf(error));
        }
      }),
    );
  }

  /** Takes a follower out of a channel at once, and tells it why. */
  revoke(follower: Follower<I>, channel: string, reason: string): void {
    if (follower.gone || !follower.followed.has(channel)) return;
    void follower.leave(channel);
    signal('emissions:gateway:denied', () => ({
      socket: follower.id,
      tenant: follower.identity.tenant,
      channel,
      error: new ChannelDeniedError(channel, reason),
    }));
    follower.revoked(channel, reason);
  }

  async #authorize({ identity }: Follower<I>, channel: string): Promise<void> {
    const { authorizeTimeoutMs } = this.rules;
    let verdict: Verdict;
    try {
      verdict = await inTime(
        async () => this.rules.authorize(identity, channel),
        authorizeTimeoutMs,
        () => new Error(`authorization took longer than ${authorizeTimeoutMs} ms.`),
      );
    } catch (error) {
      throw new ChannelDeniedError(channel, reasonOf(error), { cause: error });
    }
    if (verdict === true) return;
    throw new ChannelDeniedError(
      channel,
      typeof verdict === 'string' && verdict !== '' ? verdict : 'not authorized.',
    );
  }

  /** Asked at the very moment of joining: others may have joined, or it may have left, while this one was authorized. */
  #checkRoom(follower: Follower<I>, channel: string): void {
    if (follower.gone) throw new ChannelDeniedError(channel, GONE);
    const { maxChannels } = this.rules;
    if (follower.followed.has(channel) || follower.followed.size < maxChannels) return;
    throw new ChannelDeniedError(
      channel,
      `one connection may follow ${maxChannels} channels; leave another first.`,
    );
  }
}
