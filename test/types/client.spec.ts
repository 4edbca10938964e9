import { describe, it } from '@jest/globals';
import { expectTypeOf } from 'expect-type';
import type { Socket } from 'socket.io-client';
import { connect, type Carried, type LiveEmission, type Wired } from 'nestjs-emissions/client';

interface Order {
  id: string;
  placedAt: Date;
  total: bigint;
  notes?: Map<string, number>;
  tags: Set<'new' | 'paid'>;
  lines: readonly { sku: string; price?: number | null }[];
  picture: Uint8Array;
  price: { toJSON(): { cents: number } };
  cancel(): void;
}

declare module 'nestjs-emissions' {
  interface EmissionCatalog {
    'client-spec.created': Order;
    'client-spec.shipped': { parcels: string[] };
  }
}

/** The compiler checks it; it is never run. */
const compiled = (_code: (socket: Socket, name: string) => void): void => {};

describe('The client', () => {
  it('types the emissions of one name by the catalog', () => {
    compiled((socket) => {
      connect(socket)
        .channel('event/client-spec.shipped')
        .on((emission) => {
          expectTypeOf(emission).toEqualTypeOf<LiveEmission<'client-spec.shipped'>>();
          expectTypeOf(emission.payload).toEqualTypeOf<{ parcels: string[] }>();
          // @ts-expect-error -- there is no such field
          void emission.payload.parcel;
        });
      connect(socket)
        .channel('event/client-spec.unheard-of')
        .on(({ payload }) => {
          expectTypeOf(payload).toBeUnknown();
        });
    });
  });

  it('types those of other channels as any of the catalog, which their names tell apart', () => {
    compiled((socket, name) => {
      connect(socket)
        .channel('topic/orders')
        .on((emission) => {
          if (emission.name === 'client-spec.shipped')
            expectTypeOf(emission.payload).toEqualTypeOf<{ parcels: string[] }>();
        });
      connect(socket)
        .channel(`entity/order/${name}`)
        .on(({ metadata }) => {
          expectTypeOf(metadata).toEqualTypeOf<Readonly<Record<string, unknown>>>();
        });
    });
    expectTypeOf<LiveEmission<'client-spec.created'>>().toExtend<Carried<'*'>>();
  });

  it('types payloads as they come: what JSON makes of them', () => {
    expectTypeOf<LiveEmission<'client-spec.created'>['payload']>().toEqualTypeOf<{
      id: string;
      placedAt: string;
      total: string;
      notes?: [string, number][];
      tags: ('new' | 'paid')[];
      lines: readonly { sku: string; price?: number | null }[];
      picture: string;
      price: { cents: number };
    }>();
    expectTypeOf<Wired<unknown>>().toBeUnknown();
    expectTypeOf<Wired<any>>().toBeAny();
  });
});
