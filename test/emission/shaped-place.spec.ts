import { describe, expect, it, jest } from '@jest/globals';
import * as fc from 'fast-check';
import { EmissionsError } from 'nestjs-emissions';
import { ShapeBudget } from '../../lib/emission/shape-budget.js';
import { ShapedPlace } from '../../lib/emission/shaped-place.js';
import { snapshot } from '../../lib/emission/snapshot.js';
import { changeable } from '../support/parts.js';
import { anything, hostile } from '../support/payloads.js';

/** More often than something has to be met before it has a shape, and its parts, and theirs. */
const OFTEN = 40;
/** More shapes than any budget has. */
const LIMIT = 100_000;

const place = (): ShapedPlace => new ShapedPlace(ShapeBudget.whole());
const shapeAt = (at: ShapedPlace, value: object) =>
  at.shapeOf(value, Object.getPrototypeOf(value) as object);
const order = (n: number) => ({
  id: `order-${n}`,
  total: n,
  paid: n % 2 === 0,
  note: null as unknown,
  lines: [{ sku: 'a', price: n }, { sku: 'b', price: 1 }, 'gift'],
  customer: { name: 'Ada', address: { city: 'London' } },
});

/** Copies at one place until what is alike has its shape there; gives the last copy. */
function often<T>(value: T, at: ShapedPlace = place()): T {
  for (let i = 1; i < OFTEN; i++) snapshot(value, 'payload', at);
  return snapshot(value, 'payload', at);
}

describe('A snapshot of what has a known shape', () => {
  it('has its shape from then on, in every part', () => {
    const at = place();
    expect(shapeAt(at, order(1))).toBeUndefined();
    for (let n = 0; n < OFTEN; n++) snapshot(order(n), 'payload', at);
    const shape = shapeAt(at, order(99))!;
    expect(shape.keys).toEqual(['id', 'total', 'paid', 'note', 'lines', 'customer']);
    expect(shapeAt(shape.places[4]!.elements, { sku: '', price: 0 })).toBeDefined();
    expect(shapeAt(shape.places[5]!, { name: '', address: {} })).toBeDefined();
  });

  it('is an equal copy, frozen through and through, in which nothing of the source is left', () => {
    const at = place();
    for (let n = 0; n < OFTEN; n++) {
      const source = order(n);
      const taken = snapshot(source, 'payload', at);
      source.lines.push('late');
      source.customer.address.city = 'Paris';
      expect(taken).toStrictEqual(order(n));
      expect(changeable(taken)).toEqual([]);
    }
  });

  it('knows nothing of the one before, however large that was', () => {
    const at = place();
    const part = { n: 0 };
    const value = {
      large: new Map([['many', Array.from({ length: 12_000 }, (_, i) => i)]]),
      small: new Map([['part', part]]),
    };
    for (let n = 0; n < OFTEN; n++) {
      part.n = n;
      expect(snapshot(value, 'payload', at).small.get('part')).toEqual({ n });
    }
  });

  it('copies what is met again and again beyond 10,000 values once, and reads none of it twice', () => {
    const at = place();
    const shared = { a: 1, b: 2, c: 3, d: 4, e: 5 };
    const copy = often(Array<object>(5_000).fill(shared), at);
    expect(copy[0]).not.toBe(copy[1]);
    expect(copy.at(-1)).toBe(copy.at(-2));
    expect(copy.every((each) => Object.isFrozen(each))).toBe(true);

    let reads = 0;
    const counted = () => ({
      get a() {
        return ++reads;
      },
      b: 1,
    });
    const list = Array.from({ length: 5_000 }, counted);
    snapshot(list, 'payload', at);
    for (let n = 0; n < OFTEN; n++) {
      reads = 0;
      snapshot(list, 'payload', at);
      expect(reads).toBe(5_000);
    }
  });

  it('takes whatever else a field holds this time', () => {
    const at = place();
    often({ at: 1, by: { id: 1 } }, at);
    const others = [
      { at: new Date(5), by: { id: 1 } },
      { at: { deep: [1n, new Map([[1, { a: 1 }]])] }, by: null },
      { at: undefined, by: [Buffer.from('x')] },
      { at: 1, by: { id: { id: 2 }, more: true } },
    ];
    for (const other of others) {
      expect(snapshot(other, 'payload', at)).toStrictEqual(snapshot(other));
      expect(changeable(snapshot(other, 'payload', at))).toEqual([]);
    }
  });

  it('leaves out symbol keys and what is not enumerable, and reads a getter once', () => {
    let read = 0;
    const source = () =>
      Object.defineProperties(
        { a: 1, [Symbol('x')]: { open: true } },
        { hidden: { value: 1 }, b: { enumerable: true, get: () => ++read } },
      );
    const at = place();
    for (let n = 1; n <= OFTEN; n++) {
      const taken = snapshot(source(), 'payload', at);
      expect(Reflect.ownKeys(taken)).toEqual(['a', 'b']);
    }
    // Until there is a shape, the careful copy reads it again.
    read = 0;
    expect(snapshot(source(), 'payload', at)).toEqual({ a: 1, b: 1 });
  });

  it('has its shape, once, also where its class has enumerable fields, which are no part of it', () => {
    class Plugin {
      readonly id = 1;
    }
    Object.assign(Plugin.prototype, { greet: () => 'hello', kind: 'plugin' });
    const budget = ShapeBudget.whole();
    const at = new ShapedPlace(budget);
    const taken = often(new Plugin(), at);
    expect(Reflect.ownKeys(taken)).toEqual(['id']);
    expect(taken.constructor).toBe(Plugin);
    const { keys, copy, places } = shapeAt(at, new Plugin())!;
    expect(keys).toEqual(['id']);
    expect(copy(new Plugin(), (part) => part, places)).toStrictEqual(new Plugin());
    expect(shapeAt(at, Object.assign(new Plugin(), { kind: 'own' }))).toBeUndefined();
    expect(shapeAt(at, { id: 1, greet: 1 })).toBeUndefined();
  });

  it('is told from what only looks alike: no field of that is asked for', () => {
    const asked: string[] = [];
    class Lazy {
      get id(): never {
        asked.push('id');
        throw new Error('a lazy field was loaded');
      }
    }
    class Lazier extends Lazy {
      constructor(readonly total = 1) {
        super();
      }
    }
    const at = place();
    often({ id: 'a', total: 1 }, at);
    expect(snapshot(new Lazy(), 'payload', at)).toStrictEqual(new Lazy());
    expect(Object.entries(snapshot(new Lazier(), 'payload', at))).toEqual([['total', 1]]);
    expect(snapshot(Object.create({ id: 'b', total: 2 }) as object, 'payload', at)).toEqual({});
    expect(asked).toEqual([]);
  });

  it('has no field that it inherits, not even one that its like has itself', () => {
    const plain = place();
    const classes = place();
    const asked: string[] = [];
    class Role {
      constructor(
        readonly id: number,
        kind?: string,
      ) {
        if (kind !== undefined)
          Object.defineProperty(this, 'kind', { value: kind, enumerable: true });
      }
    }
    often({ a: 1, role: 'user' }, plain);
    often(new Role(1, 'user'), classes);
    const pollution = { configurable: true, enumerable: true };
    try {
      Object.defineProperty(Object.prototype, 'role', { ...pollution, value: 'admin' });
      Object.defineProperty(Role.prototype, 'kind', {
        ...pollution,
        get: () => asked.push('get'),
        set: () => {
          asked.push('set');
        },
      });
      for (let n = 0; n < 2 * OFTEN; n++) {
        expect(Object.entries(snapshot({ a: 1 }, 'payload', plain))).toEqual([['a', 1]]);
        expect(Object.entries(snapshot(new Role(1), 'payload', classes))).toEqual([['id', 1]]);
        expect(Object.keys(snapshot({ a: 1, role: 'own' }, 'payload', plain))).toEqual([
          'a',
          'role',
        ]);
      }
      expect(asked).toEqual([]);
    } finally {
      delete (Object.prototype as { role?: unknown }).role;
    }
  });

  it('is of the same class, and takes no setter of it for a field', () => {
    class Line {
      constructor(
        readonly sku: string,
        readonly ordered: Date,
      ) {}
      get label() {
        return `#${this.sku}`;
      }
    }
    class Guarded {
      set amount(_: number) {
        throw new Error('a setter was called');
      }
    }
    const at = place();
    const others = place();
    for (let n = 0; n < OFTEN; n++) {
      const guarded = Object.defineProperty(new Guarded(), 'amount', {
        value: n,
        enumerable: true,
      });
      const taken = snapshot(new Line(`${n}`, new Date(n)), 'payload', at);
      expect(taken).toStrictEqual(new Line(`${n}`, new Date(n)));
      expect([taken.label, changeable(taken)]).toEqual([`#${n}`, []]);
      expect(Object.entries(snapshot(guarded, 'payload', others))).toEqual([['amount', n]]);
    }
    expect(shapeAt(at, new Line('', new Date()))).toBeDefined();
    expect(shapeAt(at, { sku: '', ordered: new Date() })).toBeUndefined();
  });

  it('holds dates, maps and errors, and hands out bytes', () => {
    const at = place();
    const source = () => ({
      at: new Date(5),
      error: new Error('no'),
      by: new Map([[1, { a: 1 }]]),
      file: { name: 'a', bytes: Buffer.from('x') },
    });
    for (let n = 0; n < OFTEN; n++) {
      const taken = snapshot(source(), 'payload', at);
      taken.file.bytes[0] = 0;
      expect(taken).toStrictEqual(source());
      expect(changeable(taken)).toEqual([]);
    }
  });

  it('is refused when the same large part is in it too often, as elsewhere', () => {
    const large = new Set(Array.from({ length: 9_000 }, (_, n) => n));
    const at = place();
    often({ list: [large] }, at);
    const value = { list: Array.from({ length: 500 }, () => large) };
    expect(() => snapshot(value)).toThrow('more than 2000000 values');
    expect(() => snapshot(value, 'payload', at)).toThrow('more than 2000000 values');
  });

  it('is refused when it is too deep, as elsewhere', () => {
    const nested = (levels: number): object =>
      Array.from({ length: levels - 1 }).reduce<object>((inner) => ({ inner }), new Map());
    const at = place();
    often(nested(20), at);
    expect(snapshot(nested(500), 'payload', at)).toEqual(nested(500));
    expect(() => snapshot(nested(501))).toThrow('deeper than 500 levels');
    expect(() => snapshot(nested(501), 'payload', at)).toThrow('deeper than 500 levels');
  });

  it.each<[string, unknown, string]>([
    ['a function', { a: { b: () => 1 } }, 'payload.a.b'],
    ['a symbol', { a: { b: Symbol('x') } }, 'payload.a.b'],
    [
      'a getter that throws',
      {
        a: {
          get b() {
            throw new Error('no');
          },
        },
      },
      'payload.a.b',
    ],
  ])('refuses %s, and says where it is', (_, value, path) => {
    const at = place();
    often({ a: { b: 1 } }, at);
    expect(() => snapshot(value, 'payload', at)).toThrow(path);
  });

  it('refuses a cycle through objects of one shape, and one through arrays', () => {
    const at = place();
    const chain = { next: { next: { next: {} } } };
    often(chain, at);
    const cycle: { next?: unknown } = {};
    cycle.next = { next: { next: cycle } };
    const list: unknown[] = [];
    list.push(list);
    for (let n = 0; n < OFTEN; n++) {
      expect(() => snapshot(cycle, 'payload', at)).toThrow('a cycle');
      expect(() => snapshot({ next: list }, 'payload', at)).toThrow('a cycle');
    }
  });

  it('treats the names of fields as names, whatever they look like', () => {
    const names = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('__proto__', 'constructor', 'a"];process.exit(1);["', '\\', '\u2028', '${x}'),
    );
    fc.assert(
      fc.property(fc.dictionary(names, fc.jsonValue(), { maxKeys: 5 }), (value) => {
        const taken = often(value);
        expect(Object.entries(taken)).toStrictEqual(Object.entries(snapshot(value)));
        expect(Object.getPrototypeOf(taken)).toBe(Object.getPrototypeOf(value));
        expect(changeable(taken)).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});

/** Why a value was refused. */
class Refused {
  constructor(readonly reason: string) {}
}

describe('Places with shapes', () => {
  it('copy any values that follow one another there as they would be copied elsewhere', () => {
    fc.assert(
      fc.property(fc.array(anything, { minLength: 1, maxLength: 4 }), (values) => {
        const at = place();
        for (let n = 0; n < OFTEN; n++) {
          for (const value of values) {
            const taken = snapshot(value, 'payload', at);
            expect(taken).toEqual(value);
            expect(changeable(taken)).toEqual([]);
          }
        }
        for (const value of values) expect(often(value, at)).toEqual(snapshot(value));
      }),
      { numRuns: 200 },
    );
  });

  it('refuse what is refused elsewhere, for the same reason', () => {
    const outcomes = { copied: 0, refused: 0 };
    const outcomeOf = (work: () => unknown): unknown => {
      try {
        return work();
      } catch (error) {
        if (!(error instanceof EmissionsError)) throw error;
        return new Refused(error.message);
      }
    };
    fc.assert(
      fc.property(hostile, (value) => {
        const at = place();
        for (let n = 0; n < OFTEN; n++) outcomeOf(() => snapshot(value, 'payload', at));
        const elsewhere = outcomeOf(() => snapshot(value));
        const here = outcomeOf(() => snapshot(value, 'payload', at));
        expect(here).toEqual(elsewhere);
        expect(here instanceof Refused ? [] : changeable(here)).toEqual([]);
        outcomes[here instanceof Refused ? 'refused' : 'copied']++;
      }),
      { numRuns: 500 },
    );
    expect(Math.min(outcomes.copied, outcomes.refused)).toBeGreaterThan(20);
  });

  it('remember eight shapes, and no more', () => {
    const at = place();
    const only = (n: number) => ({ [`only${n}`]: n });
    for (let n = 0; n < 10; n++) often(only(n), at);
    const known = Array.from({ length: 10 }, (_, n) => shapeAt(at, only(n)) !== undefined);
    expect(known).toEqual([...Array.from({ length: 8 }, () => true), false, false]);
    expect(often({ only9: [1] }, at)).toStrictEqual({ only9: [1] });
  });

  it('give the shapes to whoever is met most, also among others', () => {
    const at = place();
    for (let n = 0; n < OFTEN; n++)
      for (const value of [{ a: 1, b: 2 }, { a: 1, b: 2, c: 3 }, { [`only${n}`]: 1 }])
        expect(snapshot(value, 'payload', at)).toStrictEqual(value);
    expect(shapeAt(at, { a: 0, b: 0 })).toBeDefined();
    expect(shapeAt(at, { a: 0, b: 0, c: 0 })).toBeDefined();
  });

  it('remember no shape of objects whose fields are others each time, or too many', () => {
    const at = place();
    for (let n = 0; n < 500; n++) {
      const online = { [`user-${n}`]: { online: true } };
      expect(snapshot(online, 'payload', at)).toStrictEqual(online);
      expect(shapeAt(at, online)).toBeUndefined();
    }
    const fields = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, n) => [`f${n}`, n]));
    expect(often(fields(65), at)).toStrictEqual(fields(65));
    expect(shapeAt(at, fields(65))).toBeUndefined();
    often(fields(64), at);
    expect(shapeAt(at, fields(64))).toBeDefined();
  });

  it('use up a share of the budget, and none of the others', () => {
    const budget = ShapeBudget.whole();
    const first = budget.share();
    const of = (n: number) => ({ [`field${n}`]: n });
    for (let n = 0; n < LIMIT && !first.isSpent; n++) often(of(n), new ShapedPlace(first));
    expect([first.isSpent, budget.isSpent]).toEqual([true, false]);
    expect(shapeOfOften({ a: 1 }, first)).toBeUndefined();
    expect(shapeOfOften({ a: 1 }, budget.share())).toBeDefined();

    for (let n = 0; n < LIMIT && !budget.isSpent; n++)
      often(of(n), new ShapedPlace(budget.share()));
    expect(budget.isSpent).toBe(true);
    expect(shapeOfOften({ a: 1 }, budget.share())).toBeUndefined();
    expect(often({ a: [1] }, new ShapedPlace(budget.share()))).toStrictEqual({ a: [1] });
  });

  it('copy without shapes where code must not be generated', () => {
    const generate = globalThis.Function;
    const at = place();
    try {
      globalThis.Function = (() => {
        throw new EvalError('Code generation from strings disallowed for this context');
      }) as never;
      expect(often(order(1), at)).toStrictEqual(order(1));
    } finally {
      globalThis.Function = generate;
    }
    expect(shapeAt(at, order(1))).toBeUndefined();
  });

  it('do not look at bytes one by one, wherever they are', () => {
    const bytes = new Uint8Array(10_000);
    const keys = jest.spyOn(Object, 'keys');
    for (const make of [() => bytes, () => ({ file: bytes }), () => ({ parts: [bytes] })]) {
      const at = place();
      often({ file: null, parts: [] as unknown[] }, at);
      for (let n = 0; n < OFTEN; n++) snapshot<unknown>(make(), 'payload', at);
    }
    const asked = keys.mock.calls.map(([of]) => of === bytes);
    keys.mockRestore();
    expect(asked).toContain(false);
    expect(asked).not.toContain(true);
  });

  it.each<[string, (file: unknown) => object]>([
    ['a field', (file) => ({ file })],
    ['an array of objects', (file) => [{ file }]],
  ])('are given up where copying by them fails again and again, in %s', (_, make) => {
    const at = place();
    often(make(null), at);
    expect(at.isGivenUp).toBe(false);
    for (let n = 0; n < OFTEN; n++) {
      const bytes = make(Buffer.from('x'));
      expect(snapshot(bytes, 'payload', at)).toStrictEqual(bytes);
    }
    expect(at.isGivenUp).toBe(true);
    expect(often(make(null), at)).toStrictEqual(make(null));
  });

  it('take nothing for an instance of a class that may be a date or an error', () => {
    class Failure extends Error {
      code = 7;
    }
    const at = place();
    often({ at: Object.create(Date.prototype) as Date }, at);
    often(Object.assign(Object.create(Failure.prototype) as Failure, { code: 7 }), at);
    const taken = snapshot(new Failure('boom'), 'payload', at);
    expect([taken.message, taken.code, taken.stack]).toEqual(['boom', 7, expect.any(String)]);
    expect(snapshot({ at: new Date(5) }, 'payload', at).at.getTime()).toBe(5);
  });
});

/** The shape that a value has after it was often at a new place. */
function shapeOfOften(value: object, budget: ShapeBudget): unknown {
  const at = new ShapedPlace(budget);
  often(value, at);
  return shapeAt(at, value);
}
