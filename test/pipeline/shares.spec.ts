import { describe, expect, it, jest } from '@jest/globals';
import type { Emission } from '../../lib/emission/emission.js';
import type { Consumer } from '../../lib/pipeline/consumer.js';
import { haveRoom, sharesOf } from '../../lib/pipeline/shares.js';

const named = (names: string): Emission[] => names.split('').map((name) => ({ name }) as Emission);
const consumerWith = (room: number): Consumer =>
  ({ canAccept: (count: number) => count <= room }) as Consumer;

describe('The shares of a commit', () => {
  const takers = { a: [consumerWith(1)], b: [consumerWith(1), consumerWith(1)] };
  const takersOf = ({ name }: Emission): readonly Consumer[] => takers[name as 'a' | 'b'];
  const divided = (names: string): (readonly [string, readonly Consumer[]])[] =>
    sharesOf(named(names), takersOf).map(({ emissions, takers: to }) => [
      emissions.map(({ name }) => name).join(''),
      to,
    ]);

  it('hold what follows one another and has the same takers, in order', () => {
    expect(divided('aabba')).toEqual([
      ['aa', takers.a],
      ['bb', takers.b],
      ['a', takers.a],
    ]);
  });

  it('are one, with the very list that was committed, when all has the same takers', () => {
    const emissions = named('aa');
    expect(sharesOf(emissions, takersOf)).toEqual([{ emissions, takers: takers.a, arriving: 0 }]);
    expect(sharesOf(emissions, takersOf)[0]!.emissions).toBe(emissions);
  });

  it('are one for a single emission, and none for nothing', () => {
    expect(divided('b')).toEqual([['b', takers.b]]);
    expect(divided('')).toEqual([]);
  });

  it('are told apart by asking about each emission once', () => {
    const asked = jest.fn(takersOf);
    sharesOf(named('abab'), asked);
    expect(asked.mock.calls.map(([{ name }]) => name).join('')).toBe('abab');
  });

  it('have room when each taker of each has room for the whole commit', () => {
    const roomy = { emissions: [], takers: [consumerWith(2)], arriving: 0 };
    const full = { emissions: [], takers: [consumerWith(2), consumerWith(1)], arriving: 0 };
    expect(haveRoom([roomy, roomy], 2)).toBe(true);
    expect(haveRoom([roomy, full], 2)).toBe(false);
    expect(haveRoom([], 2)).toBe(true);
  });
});
