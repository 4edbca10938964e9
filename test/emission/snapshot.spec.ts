import { describe, expect, it } from '@jest/globals';
import { snapshot } from '../../lib/emission/snapshot.js';
import { changeable } from '../support/parts.js';

/** As decimal.js does: the class is an own property of each number. */
class Decimal {
  constructor(readonly digits: string) {
    Object.defineProperty(this, 'constructor', { value: Decimal, enumerable: true });
  }
  plus(other: Decimal): Decimal {
    return new (this.constructor as typeof Decimal)(
      String(Number(this.digits) + Number(other.digits)),
    );
  }
}

class Money {
  constructor(
    readonly amount: number,
    readonly tags: string[] = [],
  ) {}
  get cents(): number {
    return this.amount * 100;
  }
}

describe('A snapshot', () => {
  it.each([[7], [7n], ['text'], [true], [null], [undefined], [Number.NaN], [-0]])(
    'of %p is the value itself',
    (value) => {
      expect(snapshot(value)).toBe(value);
    },
  );

  it('of plain JSON is equal, and keeps the values as they were when the source changes', () => {
    const source = {
      id: 1,
      lines: [{ sku: 'a', qty: 2 }],
      ship: { to: { city: 'Ulm' } },
      none: null,
    };
    const before = structuredClone(source);
    const taken = snapshot(source);
    source.id = 2;
    source.lines[0]!.qty = 99;
    source.lines.push({ sku: 'b', qty: 1 });
    source.ship.to.city = 'Bonn';
    expect(taken).toEqual(before);
  });

  it('is frozen through and through', () => {
    const taken = snapshot({
      a: [{ b: { c: [] } }],
      d: new Date(0),
      m: new Map([[{ k: 1 }, [1]]]),
    });
    expect(changeable(taken)).toEqual([]);
    expect(() => taken.a.push({ b: { c: [] } })).toThrow(TypeError);
    expect(() => Object.assign(taken.a[0]!.b, { c: 1 })).toThrow(TypeError);
  });

  it('does not freeze or change what it was taken of', () => {
    const source = { list: [1], date: new Date(0), map: new Map([[1, {}]]) };
    snapshot(source);
    source.list.push(2);
    source.date.setTime(5);
    source.map.set(2, {});
    expect([source.list.length, source.date.getTime(), source.map.size]).toEqual([2, 5, 2]);
  });

  it('of a snapshot is equal to it and as frozen', () => {
    class When extends Date {}
    const once = snapshot({
      d: new Date(1),
      w: new When(2),
      m: new Map([['a', new Set([1])]]),
      e: new Error('x'),
    });
    const twice = snapshot(once);
    expect(twice).toEqual(once);
    expect(changeable(twice)).toEqual([]);
    expect(Object.getPrototypeOf(twice.w)).toBe(Object.getPrototypeOf(once.w));
  });

  it('of a frozen source is a copy too, as what it holds may not be frozen', () => {
    const source = Object.freeze({ open: { n: 1 } });
    const taken = snapshot(source);
    source.open.n = 2;
    expect(taken.open.n).toBe(1);
  });

  it('keeps undefined values, holes as undefined, and -0', () => {
    // oxlint-disable-next-line no-sparse-arrays
    expect(snapshot({ a: undefined, b: [1, , 3], c: -0 })).toStrictEqual({
      a: undefined,
      b: [1, undefined, 3],
      c: -0,
    });
  });

  it('calls a getter once, and keeps the value it gave', () => {
    let calls = 0;
    const taken = snapshot({
      get now() {
        return { calls: ++calls };
      },
    });
    expect([taken.now, taken.now, calls]).toEqual([{ calls: 1 }, { calls: 1 }, 1]);
  });

  it('leaves out symbol keys and what is not enumerable', () => {
    const source = Object.defineProperty({ seen: 1, [Symbol('s')]: 2 }, 'hidden', { value: 3 });
    expect(Reflect.ownKeys(snapshot(source))).toEqual(['seen']);
  });

  it('of a 10 MB text takes no copy of it and next to no time', () => {
    const text = 'x'.repeat(10_000_000);
    expect(snapshot({ text, again: [text] }).again[0]).toBe(text);
  });

  it('keeps shared parts equal, however often they are met', () => {
    const shared = { n: [1] };
    const taken = snapshot({ a: shared, b: [shared, shared] });
    shared.n.push(2);
    expect(taken).toEqual({ a: { n: [1] }, b: [{ n: [1] }, { n: [1] }] });
  });

  it('of 100,000 equal references stays as small as the source', () => {
    const shared = [{ n: 1 }, { n: 2 }];
    const taken = snapshot(Array.from({ length: 100_000 }, () => shared));
    expect(new Set(taken).size).toBeLessThan(10_000);
    expect(taken.at(-1)).toEqual(shared);
  });
});

describe('A snapshot of a prototype-like payload', () => {
  it('keeps an own __proto__ key as data and pollutes nothing', () => {
    const source = JSON.parse(
      '{"__proto__":{"admin":true},"constructor":1,"toString":2}',
    ) as object;
    const taken = snapshot(source) as Record<string, unknown>;
    expect(Object.keys(taken)).toEqual(['__proto__', 'constructor', 'toString']);
    expect(Object.getPrototypeOf(taken)).toBe(Object.prototype);
    expect([taken['admin'], ({} as Record<string, unknown>)['admin']]).toEqual([
      undefined,
      undefined,
    ]);
    expect(JSON.stringify(taken)).toBe(JSON.stringify(source));
  });

  it('keeps a null prototype', () => {
    const source = Object.assign(Object.create(null) as object, { a: 1, ['__proto__']: 2 });
    const taken = snapshot(source);
    expect(Object.getPrototypeOf(taken)).toBeNull();
    expect(Object.keys(taken)).toEqual(Object.keys(source));
  });
});

describe('A snapshot of a class instance', () => {
  it('keeps its class, methods and getters, and copies its fields', () => {
    const source = new Money(12, ['vip']);
    const taken = snapshot({ price: source }).price;
    source.tags.push('changed');
    expect(taken).toBeInstanceOf(Money);
    expect([taken.cents, taken.tags]).toEqual([1200, ['vip']]);
    expect(taken).toStrictEqual(new Money(12, ['vip']));
    expect(changeable(taken)).toEqual([]);
  });

  it('works for a number class that keeps its constructor as an own property', () => {
    const taken = snapshot({ total: new Decimal('1.5') }).total;
    expect(taken.plus(new Decimal('2')).digits).toBe('3.5');
  });

  it('takes only a function for the class: any other own constructor is copied like all data', () => {
    const source = Object.create(Money.prototype, {
      constructor: { value: { open: [1] }, enumerable: true },
    }) as { constructor: { open: number[] } };
    const taken = snapshot(source);
    source.constructor.open.push(2);
    expect(taken.constructor).toEqual({ open: [1] });
    expect(changeable(taken.constructor)).toEqual([]);
  });

  it('copies a field that its class has an accessor for, without calling the setter', () => {
    let set = 0;
    class Guarded {
      get level(): number {
        return -1;
      }
      set level(_value: number) {
        set++;
      }
    }
    const source = Object.defineProperty(new Guarded(), 'level', { value: 3, enumerable: true });
    expect(snapshot(source).level).toBe(3);
    expect(set).toBe(0);
  });

  it('keeps the class of an array, with its fields', () => {
    class Lines extends Array<number> {
      currency = 'EUR';
      total(): number {
        return this.reduce((sum, n) => sum + n, 0);
      }
    }
    const source = new Lines(3, 4);
    const taken = snapshot(source);
    source.push(100);
    expect([taken.total(), taken.currency, taken.length]).toEqual([7, 'EUR', 2]);
    expect(taken).toBeInstanceOf(Lines);
    expect(Object.isFrozen(taken)).toBe(true);
  });
});
