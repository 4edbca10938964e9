import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { EmissionType } from 'nestjs-emissions';
import { serialize, type Serialized } from '../../lib/durable/storage/serializer.js';
import { EmissionStorage } from '../../lib/durable/storage/stored-emission.js';
import type { EmissionClass } from '../../lib/emission/emission-type.decorator.js';
import type { Emission } from '../../lib/emission/emission.js';
import { errorOf } from '../support/parts.js';

@EmissionType('price')
class Price {
  constructor(
    readonly amount: bigint,
    readonly on: Date,
  ) {}
}

@EmissionType('price', {
  version: 3,
  upcast: ({ amount, currency = 'EUR', on }, version) => ({
    cents: version === 1 ? (amount as bigint) * 100n : amount,
    currency,
    on,
  }),
})
class PriceNow {
  constructor(
    readonly cents: bigint,
    readonly currency: string,
    readonly on: Date,
  ) {}

  get text(): string {
    return `${this.cents} ${this.currency}`;
  }
}

@EmissionType('price', { version: 2 })
class PriceWithoutUpcast extends Price {}

@EmissionType('price', { version: 2, upcast: () => undefined as never })
class PriceOfNothing extends Price {}

@EmissionType('order', {
  version: 2,
  upcast: ({ total }) => new Order([{ total: total as PriceNow }]),
})
class Order {
  constructor(readonly lines: readonly { readonly total: PriceNow }[]) {}
}

@EmissionType('order')
class OrderOnce {
  constructor(readonly total: Price) {}
}

@EmissionType('odd@7')
class Odd {
  readonly n = 1;
}

/** There and back: stored by one application, made again by another that has these classes. */
function again(payload: unknown, ...types: EmissionClass[]): unknown {
  const storage = new EmissionStorage();
  for (const type of types) storage.register(type);
  const stored = storage.store({ id: 'i', name: 'n', payload, metadata: {} } as Emission);
  return storage.restore('i', JSON.parse(JSON.stringify(stored)) as never).payload;
}

describe('A stored instance of a class', () => {
  const price = new Price(5n, new Date(7));

  it('says its version where it stands, unless that is the first', () => {
    expect(serialize({ price })).toMatchObject({ types: { '/price': 'class:price' } });
    const now: Serialized = serialize({ price: new PriceNow(1n, 'EUR', new Date(7)) });
    expect(now.types).toMatchObject({ '/price': 'class:price@3' });
  });

  it('is made again in the version that there is now, of what the older one had', () => {
    const made = again(price, PriceNow) as PriceNow;
    expect(made).toStrictEqual(new PriceNow(500n, 'EUR', new Date(7)));
    expect([made instanceof PriceNow, made.text]).toEqual([true, '500 EUR']);
    const later = again(new PriceWithoutUpcast(5n, new Date(7)), PriceNow);
    expect(later).toStrictEqual(new PriceNow(5n, 'EUR', new Date(7)));
  });

  it('is made again within others, the innermost first, and may be given as a whole by its class', () => {
    const made = again(new OrderOnce(price), Order, PriceNow) as Order;
    expect(made).toStrictEqual(new Order([{ total: new PriceNow(500n, 'EUR', new Date(7)) }]));
    expect(made.lines[0]!.total.text).toBe('500 EUR');
  });

  it.each([
    ['an older one, and nobody says how', price, PriceWithoutUpcast, /in version 1, .* version 2/],
    ['a newer one', new PriceNow(1n, 'EUR', new Date(7)), Price, /stored by a newer one/],
  ])('is not made when it is of another version: %s', (_, value, type, message) => {
    const error = errorOf(() => again(value, type));
    expect(error).toMatchObject({ code: 'EMISSIONS_UNKNOWN_TYPE', type: 'price' });
    expect((error as Error).message).toMatch(message);
  });

  it('is not made of what its class does not make', () => {
    expect(errorOf(() => again(price, PriceOfNothing))).toMatchObject({
      code: 'EMISSIONS_DELIVERY_DATA',
      message: expect.stringContaining('its upcast of version 1 returned undefined'),
    });
  });

  it('is one of the latest version where several classes have its name, in whatever order they are known', () => {
    expect(again(price, Price, PriceNow)).toBeInstanceOf(PriceNow);
    expect(again(price, PriceNow, Price)).toBeInstanceOf(PriceNow);
  });

  it('has the name it was marked with, even one that looks like a version', () => {
    expect(again(new Odd(), Odd)).toStrictEqual(new Odd());
  });

  it('comes back equal and of its class, whatever it holds and wherever it stands', () => {
    const held = fc.record({ amount: fc.bigInt(), on: fc.date({ noInvalidDate: true }) });
    const { node } = fc.letrec((tie) => ({
      node: fc.oneof(
        { maxDepth: 4 },
        held.map(({ amount, on }) => new Price(amount, on)),
        held.map(({ amount, on }) => new PriceOfAnother(amount, on)),
        fc.array(tie('node'), { maxLength: 3 }),
        fc.array(fc.tuple(fc.string(), tie('node'))).map((entries) => new Map(entries)),
        fc.dictionary(fc.string(), tie('node'), { maxKeys: 3, noNullPrototype: true }),
      ),
    }));
    fc.assert(
      fc.property(node, (value) => {
        expect(again(value, Price, PriceOfAnother)).toStrictEqual(value);
      }),
      { numRuns: 300 },
    );
  });
});

@EmissionType('price.another', { version: 12 })
class PriceOfAnother extends Price {}
