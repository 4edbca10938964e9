import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { RecentEntries } from '../../lib/emission/recent-entries.js';

const push = (recent: RecentEntries, channels: string[], now = 0) =>
  recent.push({ offset: recent.head + 1, channels, body: undefined }, now);
const offsets = (entries?: readonly { offset: number }[]) => entries?.map(({ offset }) => offset);

describe('recent entries', () => {
  it('are all that a channel carried behind an offset, or nothing is told', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 5 }),
        fc.integer({ min: 0, max: 200 }),
        fc.array(fc.subarray(['a', 'b', 'c'], { minLength: 1 }), { maxLength: 300, size: 'max' }),
        fc.nat({ max: 320 }),
        (begin, size, all, after) => {
          const recent = new RecentEntries(begin, { size, maxAgeMs: 1 });
          for (const channels of all) push(recent, channels);
          expect(recent.size).toBe(Math.min(size, all.length));
          for (const channel of ['a', 'b', 'c', 'never']) {
            const truth = all.flatMap((on, i) =>
              on.includes(channel) && begin + i + 1 > after ? [begin + i + 1] : [],
            );
            const told = offsets(recent.since(channel, after));
            const known = after >= begin && after <= begin + all.length;
            const kept = truth.every((offset) => offset > begin + all.length - size);
            expect(told).toEqual(known && kept ? truth : undefined);
          }
        },
      ),
    );
  });

  it('are forgotten when they are too old', () => {
    const recent = new RecentEntries(0, { size: 10, maxAgeMs: 100 });
    push(recent, ['a'], 0);
    push(recent, ['a'], 60);
    recent.expire(120);
    expect(offsets(recent.since('a', 1))).toEqual([2]);
    expect(recent.since('a', 0)).toBeUndefined();
  });

  it('remember of so many channels at most when they were forgotten last', () => {
    const recent = new RecentEntries(0, { size: 0, maxAgeMs: 100 });
    for (let i = 0; i < 10_002; i++) push(recent, [`entity/x/${i}`]);
    expect(recent.since('entity/x/0', 0)).toBeUndefined();
    expect(recent.since('never', 1)).toBeUndefined();
    expect(recent.since('never', 2)).toEqual([]);
    expect(recent.since('entity/x/10001', 10_001)).toBeUndefined();
    expect(recent.since('entity/x/10000', 10_001)).toEqual([]);
  });
});
