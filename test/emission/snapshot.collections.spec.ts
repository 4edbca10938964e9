import { types } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { snapshot } from '../../lib/emission/snapshot.js';
import { changeable } from '../support/parts.js';

const MUTATORS = {
  Map: ['set', 'delete', 'clear'],
  Set: ['add', 'delete', 'clear'],
} as const;

describe('A snapshot of a map', () => {
  const source = new Map<unknown, unknown>([
    ['a', { n: 1 }],
    [{ key: true }, [1, 2]],
    [7, new Map([['inner', new Set([1])]])],
  ]);

  it('is a Map in every way', () => {
    const taken = snapshot(source);
    expect(taken).toBeInstanceOf(Map);
    expect(types.isMap(taken)).toBe(true);
    expect(taken).toEqual(source);
    expect(taken).toStrictEqual(source);
    expect(Object.prototype.toString.call(taken)).toBe('[object Map]');
    expect([taken.size, taken.has('a'), taken.get('a')]).toEqual([3, true, { n: 1 }]);
    expect(new Map(taken)).toEqual(source);
    expect([...structuredClone(taken).keys()]).toEqual([...source.keys()]);
    expect([...taken.entries()]).toEqual([...source.entries()]);
    expect([...taken.values()]).toEqual([...source.values()]);
    const visited: unknown[] = [];
    taken.forEach(function (this: unknown, value, key, map) {
      visited.push([this, key, value, map === taken]);
    }, 'self');
    expect(visited).toEqual([...source].map(([key, value]) => ['self', key, value, true]));
    expect(JSON.stringify({ taken })).toBe('{"taken":{}}');
  });

  it('does not change with its source, nor do its keys and values', () => {
    const key = { id: 1 };
    const value = { list: [1] };
    const changing = new Map([[key, value]]);
    const taken = snapshot(changing);
    key.id = 2;
    value.list.push(2);
    changing.clear();
    expect([...taken]).toEqual([[{ id: 1 }, { list: [1] }]]);
    expect(changeable(taken)).toEqual([]);
  });

  it('reads a map past methods of its own, but keeps the methods and fields of a subclass', () => {
    class Stock extends Map<string, number> {
      unit = { name: 'kg' };
      total(): number {
        return [...this.values()].reduce((sum, n) => sum + n, 0);
      }
    }
    const stock = new Stock([['a', 2]]).set('b', 3);
    const taken = snapshot(stock);
    stock.unit.name = 'lb';
    expect(taken).toBeInstanceOf(Stock);
    expect([taken.total(), taken.unit.name]).toEqual([5, 'kg']);
    expect(() => taken.set('c', 1)).toThrow('Copy it first: new Map(…)');
  });
});

describe('A snapshot of a set', () => {
  it('is a Set in every way', () => {
    const source = new Set<unknown>(['a', { n: 1 }, new Set([1])]);
    const taken = snapshot({ set: source }).set;
    expect(taken).toBeInstanceOf(Set);
    expect(types.isSet(taken)).toBe(true);
    expect(taken).toEqual(source);
    expect(taken).toStrictEqual(source);
    expect([taken.size, taken.has('a')]).toEqual([3, true]);
    expect([...taken.keys()]).toEqual([...source]);
    expect([...taken.entries()]).toEqual([...source.entries()]);
    expect([...structuredClone(taken)]).toEqual([...source]);
    expect(changeable(taken)).toEqual([]);
    const visited: unknown[] = [];
    taken.forEach((member, same, set) => visited.push([member === same, set === taken]));
    expect(visited).toEqual([
      [true, true],
      [true, true],
      [true, true],
    ]);
  });

  it('does not change with its source', () => {
    const member = { n: 1 };
    const source = new Set([member]);
    const taken = snapshot(source);
    member.n = 2;
    source.add({ n: 3 });
    expect([...taken]).toEqual([{ n: 1 }]);
  });

  it('keeps a subclass', () => {
    class Tags extends Set<string> {
      joined(): string {
        return [...this].join();
      }
    }
    expect(snapshot(new Tags(['a', 'b'])).joined()).toBe('a,b');
  });
});

describe.each(['Map', 'Set'] as const)('Every method of a %s', (kind) => {
  const taken = (kind === 'Map' ? snapshot(new Map([[1, 1]])) : snapshot(new Set([1]))) as never;

  it.each(MUTATORS[kind])('that changes it throws, and says to copy it first: %s', (method) => {
    const call = () => (taken[method] as (...args: unknown[]) => unknown).call(taken, 2, 2);
    expect(call).toThrow(TypeError);
    expect(call).toThrow(`A ${kind} of an emission cannot be changed`);
    expect([...(taken as Set<unknown>)]).toEqual(kind === 'Map' ? [[1, 1]] : [1]);
  });

  it('that Node knows either reads or is refused', () => {
    const { prototype } = kind === 'Map' ? Map : Set;
    for (const name of Object.getOwnPropertyNames(prototype)) {
      if (name === 'constructor' || name === 'size') continue;
      try {
        (taken[name] as (...args: unknown[]) => unknown).call(taken, new Set([5]), () => 5);
      } catch {
        // Refused.
      }
    }
    expect([...(taken as Set<unknown>)]).toEqual(kind === 'Map' ? [[1, 1]] : [1]);
  });
});
