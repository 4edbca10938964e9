import { describe, it } from '@jest/globals';
import { expectTypeOf } from 'expect-type';
import {
  EmissionType,
  Emissions,
  type Emission,
  type EmissionName,
  type PayloadOf,
  type Subscription,
} from 'nestjs-emissions';
import type { Observable } from 'rxjs';

interface Order {
  id: string;
  total: number;
}

declare module 'nestjs-emissions' {
  interface EmissionCatalog {
    'types-spec.created': Order;
    'types-spec.shipped': { id: string; parcels: string[] };
  }
}

@EmissionType('types-spec.paid', { key: (event: Paid) => event.orderId })
class Paid {
  constructor(readonly orderId: string) {}
}

/** The compiler checks it; it is never run. */
const compiled = (_code: (emissions: Emissions, name: string) => void): void => {};

describe('The catalog', () => {
  it('gives a name its payload, and unknown to names outside of it', () => {
    expectTypeOf<PayloadOf<'types-spec.created'>>().toEqualTypeOf<Order>();
    expectTypeOf<PayloadOf<'types-spec.other'>>().toBeUnknown();
    expectTypeOf<PayloadOf<string>>().toBeUnknown();
    expectTypeOf<'types-spec.created'>().toExtend<EmissionName>();
    expectTypeOf<'anything.else'>().toExtend<EmissionName>();
  });

  it('types emit: payload in, emission out', () => {
    compiled((emissions) => {
      const emission = emissions.emit('types-spec.created', { id: '1', total: 5 });
      expectTypeOf(emission).toEqualTypeOf<Emission<Order> | undefined>();
      emissions.emit('types-spec.created', { id: '1', total: 5 }, { by: 'me' }, { key: 'k' });
      // @ts-expect-error -- total is missing
      emissions.emit('types-spec.created', { id: '1' });
      // @ts-expect-error -- total is a number
      emissions.emit('types-spec.created', { id: '1', total: '5' });
      // @ts-expect-error -- there is no such field
      emissions.emit('types-spec.created', { id: '1', total: 5, totle: 5 });
      // @ts-expect-error -- that is the payload of another name
      emissions.emit('types-spec.shipped', { id: '1', total: 5 });
      // @ts-expect-error -- the payload is missing
      emissions.emit('types-spec.created');
    });
    expectTypeOf<Emissions['emit']>().toBeFunction();
  });

  it('leaves names outside of it free', () => {
    compiled((emissions, name) => {
      expectTypeOf(emissions.emit('types-spec.other', { a: 1 })).toEqualTypeOf<
        Emission<{ a: number }> | undefined
      >();
      emissions.emit('types-spec.other');
      emissions.emit(name, 7);
    });
    expectTypeOf<Emissions['emit']>().toBeFunction();
  });

  it('leaves metadata and options typed for every name', () => {
    compiled((emissions) => {
      // @ts-expect-error -- metadata is an object
      emissions.emit('types-spec.other', 1, 'text');
      // @ts-expect-error -- there is no such option
      emissions.emit('types-spec.other', 1, {}, { ttl: 5 });
      // @ts-expect-error -- a key is a string
      emissions.emit('types-spec.created', { id: '1', total: 5 }, {}, { key: 5 });
      // @ts-expect-error -- neither a name nor an object
      emissions.emit(7);
    });
    expectTypeOf<Emissions['emit']>().toBeFunction();
  });

  it('types stream by the pattern', () => {
    compiled((emissions, name) => {
      expectTypeOf(emissions.stream('types-spec.created')).toEqualTypeOf<
        Observable<Emission<Order>>
      >();
      expectTypeOf(emissions.stream(Paid)).toEqualTypeOf<Observable<Emission<Paid>>>();
      expectTypeOf(emissions.stream('types-spec.*')).toEqualTypeOf<Observable<Emission<any>>>();
      expectTypeOf(emissions.stream(/^types/)).toEqualTypeOf<Observable<Emission<any>>>();
      expectTypeOf(emissions.stream(name)).toEqualTypeOf<Observable<Emission<any>>>();
      expectTypeOf(emissions.stream(['types-spec.created', Paid])).toEqualTypeOf<
        Observable<Emission<Order | Paid>>
      >();
      // @ts-expect-error -- a number is no pattern
      emissions.stream(7);
      // @ts-expect-error -- arrays do not nest
      emissions.stream([['a']]);
    });
    expectTypeOf<Emissions['stream']>().toBeFunction();
  });

  it('types the handler of subscribe by the pattern', () => {
    compiled((emissions) => {
      const subscription = emissions.subscribe(
        'types-spec.created',
        (payload, emission, context) => {
          expectTypeOf(payload).toEqualTypeOf<Order>();
          expectTypeOf(emission).toEqualTypeOf<Emission<Order>>();
          expectTypeOf(context.signal).toEqualTypeOf<AbortSignal>();
        },
      );
      expectTypeOf(subscription).toEqualTypeOf<Subscription>();
      emissions.subscribe(Paid, (event) => expectTypeOf(event).toEqualTypeOf<Paid>());
      emissions.subscribe('types-spec.*', (payload) => expectTypeOf(payload).toBeAny());
      emissions.subscribe(['types-spec.created', 'types-spec.shipped'], (payload) =>
        expectTypeOf(payload).toEqualTypeOf<Order | { id: string; parcels: string[] }>(),
      );
      // @ts-expect-error -- that handler takes another payload
      emissions.subscribe('types-spec.created', (payload: { parcels: string[] }) => payload);
      // @ts-expect-error -- there is no such option
      emissions.subscribe('types-spec.created', () => {}, { prioriti: 1 });
    });
    expectTypeOf<Emissions['subscribe']>().toBeFunction();
  });
});

describe('A class marked with @EmissionType', () => {
  it('is emitted as itself, with metadata and options behind it', () => {
    compiled((emissions) => {
      expectTypeOf(emissions.emit(new Paid('1'))).toEqualTypeOf<Emission<Paid> | undefined>();
      emissions.emit(new Paid('1'), { by: 'me' }, { tenant: 't' });
      // @ts-expect-error -- options come third
      emissions.emit(new Paid('1'), {}, { tennant: 't' });
    });
    expectTypeOf<Paid>().toHaveProperty('orderId');
  });

  it('takes a key made of its own instances', () => {
    compiled(() => {
      EmissionType<Paid>('types-spec.paid', { key: ({ orderId }) => orderId })(Paid);
      // @ts-expect-error -- a key is a string
      EmissionType<Paid>('types-spec.paid', { key: () => 7 });
      // @ts-expect-error -- the class has no such field
      EmissionType('types-spec.paid', { key: (event: { userId: string }) => event.userId })(Paid);
    });
    expectTypeOf(EmissionType<Paid>)
      .parameter(0)
      .toEqualTypeOf<string>();
  });
});
