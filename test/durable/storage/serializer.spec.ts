import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { EmissionType } from 'nestjs-emissions';
import {
  deserialize,
  serialize,
  type KnownTypes,
} from '../../../lib/durable/storage/serializer.js';
import { errorOf } from '../../support/parts.js';

@EmissionType('money')
class Money {
  constructor(
    readonly amount: bigint,
    readonly currency: string,
  ) {}

  get text(): string {
    return `${this.amount} ${this.currency}`;
  }
}

@EmissionType('money.taxed')
class Taxed extends Money {
  constructor(
    amount: bigint,
    readonly paidAt: Date,
  ) {
    super(amount, 'EUR');
  }
}

const known: KnownTypes = new Map<string, new (...args: never[]) => object>([
  ['money', Money],
  ['money.taxed', Taxed],
]);

/** There and back, through the text that is stored. */
function again<T>(value: T): T {
  return deserialize(JSON.parse(JSON.stringify(serialize(value))) as never, known) as T;
}

describe('A stored value', () => {
  it.each<[string, unknown]>([
    ['a date', new Date('2026-02-03T04:05:06.007Z')],
    [
      'a map of maps',
      new Map<unknown, unknown>([
        ['a', new Map([[1n, new Date(0)]])],
        [{ x: 1 }, 2],
      ]),
    ],
    ['a set', new Set(['a', new Set([1n])])],
    ['a bigint', 2n ** 80n],
    ['undefined in its place', { a: undefined, b: [undefined, 1] }],
    ['numbers that JSON does not have', [Number.NaN, Infinity, -Infinity, -0]],
    ['a regular expression', /a\/b\n/giu],
    ['bytes', { b: Buffer.from([0, 255]), u: new Uint8Array([1]), f: new Float64Array([-0, 0.1]) }],
    [
      'more bytes',
      [new BigInt64Array([-1n]), new Uint8Array([7]).buffer, new DataView(new ArrayBuffer(3))],
    ],
    ['text that a database refuses', { nul: 'a\0b', half: 'x\ud800y', whole: '\u{1f600}' }],
    ['keys that a database refuses', { 'a\0': 1, ok: new Date(1) }],
    ['keys that look like paths', { 'a/b': new Date(1), 'c~d': { 'e~1': 1n } }],
    ['nothing at all', null],
    ['an instance of a marked class', new Money(5n, 'EUR')],
    [
      'one of a subclass, within others',
      { all: [new Taxed(5n, new Date(2)), new Money(1n, 'USD')] },
    ],
  ])('comes back equal and of the same type: %s', (_, value) => {
    expect(again(value)).toStrictEqual(value);
  });

  it('comes back as a date that is none', () => {
    const [date] = again([new Date(Number.NaN)]);
    expect([date instanceof Date, date!.getTime()]).toEqual([true, Number.NaN]);
  });

  it('has its methods again when its class was marked', () => {
    const taxed = again(new Taxed(5n, new Date(2)));
    expect([taxed instanceof Taxed, taxed.text]).toEqual([true, '5 EUR']);
  });

  it('keeps a key that would be a prototype', () => {
    const value = JSON.parse('{"__proto__": {"a": 1}, "b": 2}') as object;
    expect(Object.entries(again(value))).toEqual(Object.entries(value));
  });

  it('comes back as an error, with what it says', () => {
    const cause = new TypeError('why');
    const error = Object.assign(new RangeError('what', { cause }), {
      code: 'E_X',
      at: new Date(3),
    });
    const back = again(error);
    expect(back).toMatchObject({
      name: 'RangeError',
      message: 'what',
      code: 'E_X',
      at: new Date(3),
    });
    expect([
      back instanceof Error,
      back.stack === error.stack,
      (back.cause as Error).message,
    ]).toEqual([...[true, true, 'why']]);
  });

  it('is readable: the values stand where they stood', () => {
    const order = { id: 'o-1', at: new Date(0), total: 12n, tags: new Set(['new']) };
    expect(serialize(order)).toEqual({
      json: { id: 'o-1', at: '1970-01-01T00:00:00.000Z', total: '12', tags: ['new'] },
      types: { '/at': 'Date', '/total': 'bigint', '/tags': 'Set' },
    });
    expect(serialize({ id: 'o-1', items: [{ n: 1 }] })).toEqual({
      json: { id: 'o-1', items: [{ n: 1 }] },
    });
  });

  it('comes back as a plain object when its class is not marked', () => {
    class Plain {
      readonly at = new Date(1);
    }
    expect(again(new Plain())).toStrictEqual({ at: new Date(1) });
  });

  it('is not made of a class that nobody knows', () => {
    const stored = serialize(new Money(1n, 'EUR'));
    expect(errorOf(() => deserialize(stored, new Map()))).toMatchObject({
      code: 'EMISSIONS_UNKNOWN_TYPE',
      type: 'money',
    });
  });

  it('is refused with its path when it cannot be stored', () => {
    expect(errorOf(() => serialize({ items: [{ call: () => {} }] }))).toMatchObject({
      code: 'EMISSIONS_DELIVERY_DATA',
      path: 'items/0/call',
    });
  });

  it('comes back as an invalid date when it is one', () => {
    expect((again({ at: new Date(Number.NaN) }) as { at: Date }).at.getTime()).toBeNaN();
  });

  it('comes back equal whatever it is made of', () => {
    const anything = fc.anything({
      // Two invalid dates never compare equal: one has a test of its own.
      values: [
        fc.boolean(),
        fc.maxSafeInteger(),
        fc.double(),
        fc.string({ unit: 'binary' }),
        fc.constant(null),
        fc.constant(undefined),
        fc.date({ noInvalidDate: true }),
      ],
      withBigInt: true,
      withMap: true,
      withSet: true,
      withTypedArray: true,
      stringUnit: 'binary',
    });
    fc.assert(
      fc.property(anything, (value) => {
        expect(again(value)).toStrictEqual(value);
      }),
      { numRuns: 500 },
    );
  });
});
