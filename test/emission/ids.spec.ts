import { describe, expect, it } from '@jest/globals';
import { Ids } from '../../lib/emission/ids.js';

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const timeOf = (id: string): number => Number.parseInt(id.slice(0, 13).replace('-', ''), 16);

/** The first id that does not come after the one before it. */
function firstNotAscending(ids: readonly string[]): string | undefined {
  return ids.find((id, i) => i > 0 && id <= ids[i - 1]!);
}

describe('Ids', () => {
  it('are UUIDs of version 7 with the variant of RFC 9562, and carry the time', () => {
    const ids = new Ids();
    for (let i = 0; i < 5_000; i++) {
      const time = 1_750_000_000_000 + i * 37;
      const id = ids.next(time + 0.999);
      expect(id).toMatch(UUID_V7);
      expect(timeOf(id)).toBe(time);
    }
  });

  it('are distinct and strictly ascending as text, 100,000 in a row', () => {
    const ids = new Ids();
    const made = Array.from({ length: 100_000 }, () => ids.next(Date.now()));
    expect(new Set(made).size).toBe(100_000);
    expect(firstNotAscending(made)).toBeUndefined();
  });

  it('go on ascending while the clock is set back', () => {
    const ids = new Ids();
    const times = [1_000_000, 1_000_001, 999_000, 5, 999_999, 1_000_001, 1_000_002];
    const made = times.flatMap((time) => [ids.next(time), ids.next(time)]);
    expect(firstNotAscending(made)).toBeUndefined();
    expect(made.map(timeOf).slice(4, 12)).toEqual(Array.from({ length: 8 }, () => 1_000_001));
    expect(timeOf(made.at(-1)!)).toBe(1_000_002);
  });

  it('borrow the next millisecond when one is used up, not before eight million, and stay ascending', () => {
    const ids = new Ids();
    const millisecond = 1_800_000_000_000;
    let last = ids.next(millisecond);
    const sameMillisecond = last.slice(0, 13);
    let count = 0;
    for (; last.startsWith(sameMillisecond); count++) {
      const id = ids.next(millisecond);
      if (id <= last) throw new Error(`${id} came after ${last}`);
      last = id;
    }
    expect(timeOf(last)).toBe(millisecond + 1);
    expect(count).toBeGreaterThan(8_000_000);
    const after = [ids.next(millisecond), ids.next(millisecond + 1), ids.next(millisecond + 2)];
    expect(firstNotAscending([last, ...after])).toBeUndefined();
    expect(after.every((id) => UUID_V7.test(id))).toBe(true);
  });

  it('of one millisecond differ between two processes in more than the counter', () => {
    const made = Array.from({ length: 2_000 }, () => new Ids().next(1_800_000_000_000));
    expect(new Set(made.map((id) => id.slice(14, 30))).size).toBe(2_000);
  });

  it('use every random bit: each of the 73 is 0 in some ids and 1 in others', () => {
    const made = Array.from({ length: 400 }, () =>
      BigInt(`0x${new Ids().next(1_800_000_000_000).replaceAll('-', '')}`),
    );
    const ones = made.reduce((all, id) => all | id);
    const always = made.reduce((all, id) => all & id);
    const varying = (ones ^ always).toString(2).replaceAll('0', '').length;
    // 12 of rand_a, 62 of rand_b but for the counter's highest bit, which may be set by counting.
    expect([73, 74]).toContain(varying);
  });
});
