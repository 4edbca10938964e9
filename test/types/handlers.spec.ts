import { describe, it } from '@jest/globals';
import { expectTypeOf } from 'expect-type';
import {
  EmissionType,
  IGNORED,
  OnEmission,
  type Emission,
  type HandledPayload,
  type HandlerContext,
  type HandlerOptions,
} from 'nestjs-emissions';

declare module 'nestjs-emissions' {
  interface EmissionCatalog {
    'types-spec.refunded': { id: string; amount: number };
  }
}
interface Refunded {
  id: string;
  amount: number;
}

@EmissionType('types-spec.moved')
class Moved {
  constructor(readonly to: string) {}
}

/** The compiler checks them; they are never made. */
function handlers() {
  class Handlers {
    @OnEmission('types-spec.refunded')
    catalogued(_payload: Refunded, _emission: Emission<Refunded>, _context: HandlerContext): void {}

    @OnEmission('types-spec.refunded')
    narrower({ id }: { id: string }): string {
      return id;
    }

    @OnEmission('types-spec.refunded')
    nothing(): void {}

    @OnEmission(Moved, { priority: 3 })
    async moved(event: Moved): Promise<symbol> {
      return event.to === '' ? IGNORED : Symbol('moved');
    }

    @OnEmission(['types-spec.refunded', Moved])
    either(_payload: Refunded | Moved): void {}

    @OnEmission('types-spec.*')
    glob(_payload: { any: 'shape' }): void {}

    @OnEmission(/^types-spec/)
    regexp(_payload: number): void {}

    @OnEmission('types-spec.unheard')
    uncatalogued(_payload: { any: 'shape' }): void {}

    // @ts-expect-error -- the payload has no field `parcels`
    @OnEmission('types-spec.refunded')
    wrongPayload(_payload: { parcels: number }): void {}

    // @ts-expect-error -- the payload is an instance of Moved
    @OnEmission(Moved)
    wrongClass(_event: Refunded): void {}

    // @ts-expect-error -- it may be one of two
    @OnEmission(['types-spec.refunded', Moved])
    onlyOne(_payload: Refunded): void {}

    // @ts-expect-error -- the second parameter is the emission
    @OnEmission('types-spec.refunded')
    wrongEmission(_payload: Refunded, _emission: number): void {}

    // @ts-expect-error -- there is no fourth parameter
    @OnEmission('types-spec.refunded')
    tooMany(_p: Refunded, _e: Emission<Refunded>, _c: HandlerContext, _d: number): void {}

    // @ts-expect-error -- priority is a number
    @OnEmission('types-spec.refunded', { priority: 'first' })
    wrongOption(): void {}

    // @ts-expect-error -- there is no such option
    @OnEmission('types-spec.refunded', { retries: 3 })
    unknownOption(): void {}

    // @ts-expect-error -- it stands on methods
    @OnEmission('types-spec.refunded')
    notAMethod = 7;
  }
  return Handlers;
}

describe('What a handler is called with', () => {
  it('follows from its pattern', () => {
    expectTypeOf<HandledPayload<'types-spec.refunded'>>().toEqualTypeOf<Refunded>();
    expectTypeOf<HandledPayload<typeof Moved>>().toEqualTypeOf<Moved>();
    expectTypeOf<HandledPayload<readonly ['types-spec.refunded', typeof Moved]>>().toEqualTypeOf<
      Refunded | Moved
    >();
    expectTypeOf<HandledPayload<'types-spec.*'>>().toBeAny();
    expectTypeOf<HandledPayload<'types-spec.unheard'>>().toBeAny();
    expectTypeOf<HandledPayload<RegExp>>().toBeAny();
    expectTypeOf<HandledPayload<string>>().toBeAny();
  });

  it('is checked where a handler is written', () => {
    expectTypeOf<InstanceType<ReturnType<typeof handlers>>>().toHaveProperty('catalogued');
    expectTypeOf<InstanceType<ReturnType<typeof handlers>>>().toHaveProperty('wrongPayload');
  });

  it('has a context with the attempt, a signal and the id of the handler', () => {
    expectTypeOf<HandlerContext['attempt']>().toEqualTypeOf<number>();
    expectTypeOf<HandlerContext['signal']>().toEqualTypeOf<AbortSignal>();
    expectTypeOf<HandlerContext['handlerId']>().toEqualTypeOf<string>();
  });
});

describe("A handler's options", () => {
  it('are all optional', () => {
    expectTypeOf<{}>().toExtend<HandlerOptions>();
    expectTypeOf<{ retry: { attempts: number } }>().toExtend<HandlerOptions>();
    expectTypeOf<Required<HandlerOptions>['overflow']>().toEqualTypeOf<
      'wait' | 'reject' | 'drop-oldest' | 'drop-newest'
    >();
  });

  it('know neither batches nor typing errors', () => {
    expectTypeOf<HandlerOptions>().not.toHaveProperty('batchSize');
    expectTypeOf<HandlerOptions>().not.toHaveProperty('maxWaitMs');
    // @ts-expect-error -- an attempt is a number
    const options: HandlerOptions = { retry: { attempts: '3' } };
    expectTypeOf(options).toEqualTypeOf<HandlerOptions>();
  });

  it('are asked with an emission of any payload', () => {
    const options: HandlerOptions = {
      interested: (emission: Emission<Refunded>) => emission.payload.amount > 0,
    };
    expectTypeOf(options).toEqualTypeOf<HandlerOptions>();
  });
});
