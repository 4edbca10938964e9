import 'reflect-metadata';
import { describe, expect, it } from '@jest/globals';
import { Injectable, Module } from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import {
  ConfigurationError,
  Emissions,
  EmissionsModule,
  OnEmission,
  type EmissionsModuleExtras,
  type EmissionsOptions,
  type HandlerOptions,
} from 'nestjs-emissions';
import { RecordingAdapter } from './support/adapters.js';
import { start } from './support/app.js';

/** The error with which an application with these options refuses to start. */
async function refusal(imports: () => object): Promise<ConfigurationError> {
  try {
    await using running = await start({ imports: [imports() as never] });
    throw new Error(`It started, with ${JSON.stringify(running.emissions.describe())}.`);
  } catch (error) {
    if (error instanceof ConfigurationError) return error;
    throw error;
  }
}

const WRONG: [object, string][] = [
  [
    { adapter: [] },
    'EmissionsModule has no option "adapter". It has: adapters, buffer, context, http, imports, ',
  ],
  [{ unbuffered: 'ignore' }, "unbuffered takes 'drop' or 'deliver' or 'throw', but got 'ignore'."],
  [{ unbuffered: null }, "unbuffered takes 'drop' or 'deliver' or 'throw', but got null."],
  [{ snapshot: true }, "snapshot takes 'deep' or 'none', but got true."],
  [{ maxDepth: 0 }, 'maxDepth takes a whole number of 1 or more, but got 0.'],
  [{ context: {} }, 'context takes a function, but got {}.'],
  [{ topics: [] }, 'topics takes an object of topics and their names'],
  [{ topics: { a: 'x' } }, "The topic 'a' takes an array of names, but got 'x'."],
  [{ topics: { a: ['x'], b: ['x'] } }, "The name 'x' stands under two topics, 'a' and 'b'"],
  [{ tenancy: 'orgId' }, "tenancy takes an object, but got 'orgId'."],
  [{ tenancy: null }, 'tenancy takes an object'],
  [{ tenancy: {} }, 'tenancy takes { key }, but got no key.'],
  [{ tenancy: { key: 7 } }, 'tenancy.key takes a non-empty string, but got 7.'],
  [{ tenancy: { field: 'a' } }, 'tenancy has no option "field". It has: key.'],
  [{ http: true }, 'http takes an object, but got true.'],
  [
    { http: { skipMethods: ['get'] } },
    'http.skipMethods takes an array of HTTP methods in capitals',
  ],
  [{ http: { shouldCommit: 200 } }, 'http.shouldCommit takes a function, but got 200.'],
  [{ http: { skip: [] } }, 'http has no option "skip". It has: shouldCommit, skipMethods.'],
  [{ buffer: { capacity: 0 } }, 'buffer.capacity takes a whole number of 1 or more, but got 0.'],
  [{ pipeline: [] }, 'pipeline takes an object, but got [].'],
  [
    { pipeline: { batchSize: '50' } },
    "pipeline.batchSize takes a whole number of 1 or more, but got '50'.",
  ],
  [
    { pipeline: { overflow: 'drop' } },
    "pipeline.overflow takes 'wait' or 'reject' or 'drop-oldest' or 'drop-newest', but got 'drop'.",
  ],
  [
    { pipeline: { waitTimeoutMs: -1 } },
    'pipeline.waitTimeoutMs takes milliseconds, from 0 to 2147483647, but got -1.',
  ],
  [{ pipeline: { drainTimeoutMs: Number.POSITIVE_INFINITY } }, 'but got Infinity.'],
  [{ pipeline: { concurrency: 2 } }, 'pipeline has no option "concurrency"'],
  [
    { pipeline: { retry: { attempts: 0 } } },
    'pipeline.retry.attempts takes a whole number of 1 or more, but got 0.',
  ],
  [
    { pipeline: { retry: { factor: 0.5 } } },
    'pipeline.retry.factor takes a number from 1 to 100, but got 0.5.',
  ],
  [
    { pipeline: { retry: { jitter: 2 } } },
    'pipeline.retry.jitter takes a number from 0 to 1, but got 2.',
  ],
  [{ pipeline: { retry: 3 } }, 'pipeline.retry takes an object, but got 3.'],
];

describe('An application does not start', () => {
  it.each(WRONG)(
    'with forRoot(%j): the option, what it got and what it takes are named',
    async (options, message) => {
      const error = await refusal(() => EmissionsModule.forRoot(options));
      expect(error.message).toContain(message);
    },
  );

  it.each([WRONG[0]!, WRONG[4]!, WRONG[11]!, WRONG[25]!])(
    'with a factory of forRootAsync that returns %j',
    async (options, message) => {
      const error = await refusal(() =>
        EmissionsModule.forRootAsync({ useFactory: async () => options }),
      );
      expect(error.message).toContain(message);
    },
  );

  it.each(['adapters', 'interceptor', 'isGlobal'])(
    'when the factory returns %s, which is part of the module graph: it says where that belongs',
    async (key) => {
      const error = await refusal(() =>
        EmissionsModule.forRootAsync({ useFactory: () => ({ [key]: [] }) as EmissionsOptions }),
      );
      expect(error.message).toContain(
        `"${key}" is part of the module graph and cannot come from the factory; put it beside it`,
      );
    },
  );

  it.each([
    [{ interceptor: 'always' }, "interceptor takes 'manual' or 'global', but got 'always'."],
    [{ adapters: 'audit' }, "but got 'audit'."],
    [{ adapters: [7] }, 'adapters[0] takes a class or'],
    [
      { adapters: [{ name: 'a' }] },
      'adapters[0] takes exactly one of useClass, useFactory, useExisting, useValue, but got none.',
    ],
    [
      { adapters: [RecordingAdapter, { useClass: RecordingAdapter, options: 1, useValue: {} }] },
      'adapters[1] takes exactly one of',
    ],
    [
      { adapters: [{ useClass: RecordingAdapter, batchSize: 5 }] },
      'adapters[0] has no option "batchSize". It has: consumer, ',
    ],
    [
      { adapters: [{ useValue: new RecordingAdapter(), options: 1 }] },
      '"options" goes with useClass',
    ],
    [
      { adapters: [{ name: '', useValue: new RecordingAdapter() }] },
      "adapters[0].name takes a non-empty string, but got ''.",
    ],
    [{ adapters: [{ name: 'a', useValue: {} }] }, "The adapter 'a' has no method deliver"],
    [
      { adapters: ['a', 'a'].map((name) => ({ name, useClass: RecordingAdapter })) },
      "Two adapters are registered with the name 'a'",
    ],
    [
      { adapters: [{ name: 'a', useClass: RecordingAdapter, consumer: { batchSize: 0 } }] },
      'batchSize takes a whole number of 1 or more, but got 0.',
    ],
    [
      { adapters: [{ name: 'a', useClass: RecordingAdapter, consumer: { size: 1 } }] },
      'has no option "size"',
    ],
    [{ adapters: [{ name: 'a', useClass: RecordingAdapter, consumer: null }] }, 'but got null'],
  ])('with %j beside the factory or among the options', async (extras, message) => {
    for (const imports of [
      () => EmissionsModule.forRoot(extras as EmissionsModuleExtras),
      () => EmissionsModule.forRootAsync({ ...(extras as object), useFactory: () => ({}) }),
    ]) {
      expect((await refusal(imports)).message).toContain(message);
    }
  });

  it.each<[HandlerOptions, string]>([
    [
      { priority: 10 },
      'The handler Shelf.fill.priority takes a whole number from 0 to 9, but got 10.',
    ],
    [{ concurrency: 0 }, 'The handler Shelf.fill.concurrency takes'],
    [{ retries: 3 } as HandlerOptions, 'The handler Shelf.fill has no option "retries"'],
  ])('with a handler whose options are %j: the handler is named', async (options, message) => {
    @Injectable()
    class Shelf {
      @OnEmission('options-spec.*', options)
      fill(): void {}
    }
    @Module({ imports: [EmissionsModule.forRoot({})], providers: [Shelf] })
    class App {}
    expect((await refusal(() => App)).message).toContain(message);
  });
});

describe('Without any options', () => {
  it('the module is global, and the interceptor is on no route', () => {
    const { global, providers = [] } = EmissionsModule.forRoot({});
    const tokens = providers.map((provider) => (provider as { provide?: unknown }).provide);
    expect([global, tokens.includes(APP_INTERCEPTOR)]).toEqual([true, false]);
  });

  it('an application starts, and two applications share nothing', async () => {
    await using one = await start({ imports: [EmissionsModule.forRoot({})] });
    await using two = await start({
      imports: [EmissionsModule.forRootAsync({ useFactory: () => ({}) })],
    });
    const seen: string[] = [];
    one.app.get(Emissions).subscribe('**', (_, { name }) => void seen.push(`one: ${name}`));
    two.app.get(Emissions).subscribe('**', (_, { name }) => void seen.push(`two: ${name}`));
    await one.emissions.run(() => void one.emissions.emit('options-spec.a', 1));
    await Promise.all([one.emissions.settled(), two.emissions.settled()]);
    expect(seen).toEqual(['one: options-spec.a']);
  });
});
