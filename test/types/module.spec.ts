import { describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { expectTypeOf } from 'expect-type';
import {
  defineTopics,
  EMISSIONS_CHANNELS,
  EmissionsModule,
  fromCloudEvent,
  onSignal,
  toCloudEvent,
  type AdapterFailed,
  type AdapterRegistration,
  type CloudEvent,
  type Emission,
  type EmissionAdapter,
  type EmissionsChannelName,
  type EmissionsOptions,
  type TopicMap,
} from 'nestjs-emissions';

@Injectable()
class AuditAdapter implements EmissionAdapter {
  deliver(batch: readonly Emission[]): void {
    // @ts-expect-error -- a batch is not to be changed
    batch.push(batch[0]!);
    // @ts-expect-error -- nor is an emission
    batch[0]!.name = 'other';
  }
}

/** The compiler checks it; it is never run. */
const compiled = (_code: () => void): void => {};

describe('The options of the module', () => {
  it('are all optional, nested ones too', () => {
    expectTypeOf<{}>().toExtend<EmissionsOptions>();
    expectTypeOf<{ pipeline: { retry: { attempts: 3 } } }>().toExtend<EmissionsOptions>();
    expectTypeOf<{ http: { skipMethods: ['GET'] } }>().toExtend<EmissionsOptions>();
  });

  it('are checked where they are written', () => {
    compiled(() => {
      EmissionsModule.forRoot({ adapters: [AuditAdapter], unbuffered: 'throw', maxDepth: 3 });
      EmissionsModule.forRootAsync({
        adapters: [AuditAdapter],
        useFactory: () => ({ maxDepth: 3 }),
      });
      // @ts-expect-error -- there is no such policy
      EmissionsModule.forRoot({ unbuffered: 'ignore' });
      // @ts-expect-error -- there is no such option
      EmissionsModule.forRoot({ adapter: [] });
      // @ts-expect-error -- it is part of the module graph
      EmissionsModule.forRoot({ interceptor: 'always' });
      // @ts-expect-error -- the factory returns options
      EmissionsModule.forRootAsync({ useFactory: () => ({ maxDepth: '3' }) });
    });
    expectTypeOf(EmissionsModule.forRoot).toBeFunction();
  });

  it('take adapters as classes or as custom providers', () => {
    expectTypeOf<typeof AuditAdapter>().toExtend<AdapterRegistration>();
    compiled(() => {
      const registrations: AdapterRegistration[] = [
        AuditAdapter,
        {
          useClass: AuditAdapter,
          options: { file: 'a' },
          name: 'audit',
          consumer: { batchSize: 5 },
        },
        { useFactory: async () => new AuditAdapter(), inject: ['token'] },
        { useExisting: AuditAdapter },
        { useValue: { deliver: () => {} } },
        // @ts-expect-error -- it delivers nothing
        { useValue: {} },
        // @ts-expect-error -- there is no such option
        { useClass: AuditAdapter, consumer: { size: 5 } },
        // @ts-expect-error -- a class that delivers nothing
        Map,
      ];
      return registrations;
    });
  });
});

describe('Topics', () => {
  it('keep their literal names', () => {
    const topics = defineTopics({ orders: ['order.created'] });
    expectTypeOf(topics).toEqualTypeOf<{ readonly orders: readonly ['order.created'] }>();
    expectTypeOf(topics).toExtend<TopicMap>();
    // @ts-expect-error -- names stand in an array
    compiled(() => defineTopics({ orders: 'order.created' }));
  });
});

describe('An emission', () => {
  it('is read-only, with a payload that is unknown until it is said', () => {
    expectTypeOf<Emission['payload']>().toBeUnknown();
    expectTypeOf<Emission<number>['payload']>().toEqualTypeOf<number>();
    expectTypeOf<Emission>().toEqualTypeOf<Readonly<Emission>>();
    expectTypeOf<Emission['tenant']>().toEqualTypeOf<string | undefined>();
  });

  it('maps to a CloudEvent and back', () => {
    expectTypeOf(toCloudEvent).parameter(0).toEqualTypeOf<Emission>();
    expectTypeOf(toCloudEvent).returns.toEqualTypeOf<CloudEvent>();
    expectTypeOf(fromCloudEvent).parameter(0).toBeUnknown();
    expectTypeOf(fromCloudEvent).returns.toEqualTypeOf<Emission>();
  });
});

describe('Signals', () => {
  it('are typed by their channel', () => {
    compiled(() => {
      onSignal('emissions:adapter:failed', (message) => {
        expectTypeOf(message).toEqualTypeOf<AdapterFailed>();
        // @ts-expect-error -- there is no such field
        return message.handler;
      });
      // @ts-expect-error -- there is no such channel
      onSignal('emissions:order:created', () => {});
    });
    expectTypeOf(onSignal).returns.toEqualTypeOf<() => void>();
  });

  it('that have a type are all in the list', () => {
    // The compiler sees to it that none is missing here.
    const typed: Record<EmissionsChannelName, true> = {
      'emissions:buffer:started': true,
      'emissions:buffer:committed': true,
      'emissions:buffer:flushed': true,
      'emissions:buffer:terminated': true,
      'emissions:emission:dropped': true,
      'emissions:emission:expired': true,
      'emissions:adapter:delivered': true,
      'emissions:adapter:failed': true,
      'emissions:adapter:retried': true,
      'emissions:handler:succeeded': true,
      'emissions:handler:failed': true,
      'emissions:handler:ignored': true,
      'emissions:handler:retried': true,
      'emissions:consumer:overflowed': true,
      'emissions:consumer:waiting': true,
      'emissions:cascade:cut': true,
      'emissions:delivery:enqueued': true,
      'emissions:delivery:completed': true,
      'emissions:delivery:failed': true,
      'emissions:delivery:dead': true,
      'emissions:delivery:unknown': true,
      'emissions:gateway:connected': true,
      'emissions:gateway:refused': true,
      'emissions:gateway:subscribed': true,
      'emissions:gateway:denied': true,
      'emissions:gateway:recovered': true,
      'emissions:gateway:slow': true,
    };
    expect([...EMISSIONS_CHANNELS].sort()).toEqual(Object.keys(typed).sort());
  });
});
