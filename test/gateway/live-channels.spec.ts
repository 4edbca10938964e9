import { describe, expect, it } from '@jest/globals';
import type { RecordedEntry } from '../../lib/emission/channel-history.js';
import type { Follower } from '../../lib/gateway/follower.js';
import { LiveChannels } from '../../lib/gateway/live-channels.js';
import { MemoryHistory } from '../../lib/gateway/memory-history.js';

/** Followers of a history in memory, told by their numbers what they got. */
function channels(size = 100) {
  const live: LiveChannels = new LiveChannels(new MemoryHistory({ size, maxAgeMs: 60_000 }), {
    dispatch: (_, entries, __, followers) => {
      for (const follower of followers) follower.take?.(entries, '');
    },
    hear: () => {},
  });
  void live.history.open(live);
  return live;
}

function follower(): Follower & { readonly got: number[] } {
  const got: number[] = [];
  const followed = new Map<string, number>();
  const take = (entries: readonly RecordedEntry[]): void => {
    for (const { offset, channels: on } of entries) {
      if (on.some((channel) => followed.has(channel))) got.push(offset);
    }
  };
  return {
    id: 'f',
    identity: { tenant: 'a' },
    got,
    followed,
    rights: 0,
    gone: false,
    waiting: 0,
    take,
    replay: (missed) => got.push(...missed.map(({ offset }) => offset)),
    join: () => {},
    leave: (channel) => void followed.delete(channel),
    lose: () => {},
    revoked: () => {},
    dismiss: () => {},
  };
}

const entry = (...on: string[]) => ({ channels: on, body: {} });
const yes = () => true;

describe('live channels', () => {
  it('leave no hole between what is replayed and what comes, however soon that comes', async () => {
    const live = channels();
    const first = await live.follow(follower(), '*', undefined, yes);
    void live.append('a', [entry('*'), entry('*')]);
    const late = follower();
    const following = live.follow(late, '*', first!.offset, yes);
    for (let i = 0; i < 20; i++) {
      void live.append('a', [entry('*')]);
      // oxlint-disable-next-line no-await-in-loop
      await Promise.resolve();
    }
    expect(await following).toMatchObject({ recovered: true });
    expect(late.got).toEqual(Array.from({ length: 22 }, (_, i) => i + 1));
  });

  it('let nobody join who may not at that very moment, and do nothing then', async () => {
    const live = channels();
    const barred = follower();
    expect(await live.follow(barred, '*', undefined, () => false)).toBeUndefined();
    void live.append('a', [entry('*')]);
    expect([barred.got, barred.followed.size]).toEqual([[], 0]);
  });

  it('forget a tenant that nobody follows, and tell who comes back later', async () => {
    const live = channels();
    const early = follower();
    const { offset } = (await live.follow(early, '*', undefined, yes))!;
    live.expire(-1);
    expect(await live.follow(follower(), '*', offset, yes)).toMatchObject({ recovered: true });
    live.leave(early);
    const still = live.followersOf('a');
    for (const each of [...still]) live.leave(each);
    live.expire(-1);
    expect(await live.follow(follower(), '*', offset, yes)).toMatchObject({ recovered: false });
  });

  it('tell followers what nobody has any more, and go on behind it', async () => {
    const live = channels();
    const told: string[] = [];
    const one: Follower = { ...follower(), lose: (offset) => void told.push(offset) };
    await live.follow(one, '*', undefined, yes);
    live.lose('a', { epoch: 'new', offset: 7 });
    expect(told).toEqual(['new:7']);
    expect([...one.followed]).toEqual([['*', 7]]);
    expect(await live.offsetOf('a')).toBe('new:7');
  });
});
