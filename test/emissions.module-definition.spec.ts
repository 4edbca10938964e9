import { beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable, Module, type DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import {
  ConfigurationError,
  Emissions,
  EmissionsModule,
  defineTopics,
  type EmissionsOptions,
} from 'nestjs-emissions';
import { RecordingAdapter } from './support/adapters.js';
import { start } from './support/app.js';
import { emitAndSettle } from './support/emit.js';
import { silence } from './support/logs.js';
import { rounds } from './support/until.js';

beforeEach(silence);

@Injectable()
class Settings {
  readonly topics = defineTopics({ orders: ['order.created'] });
}
@Module({ providers: [Settings], exports: [Settings] })
class SettingsModule {}

@Injectable()
class OptionsFactory {
  createEmissionsOptions(): EmissionsOptions {
    return { topics: { orders: ['order.created'] } };
  }
}
@Module({ providers: [OptionsFactory], exports: [OptionsFactory] })
class FactoryModule {}

@Injectable()
class Audit extends RecordingAdapter {}

describe('forRootAsync', () => {
  const created = async (module: DynamicModule) => {
    await using running = await start({ imports: [module] });
    await emitAndSettle(running.emissions, 'order.created');
    return running.app.get(Audit).emissions.map(({ topic }) => topic);
  };

  it('takes options from a factory, and the adapters beside it', async () => {
    const module = EmissionsModule.forRootAsync({
      adapters: [Audit],
      imports: [SettingsModule],
      inject: [Settings],
      useFactory: ({ topics }: Settings) => ({ topics }),
    });

    expect(await created(module)).toEqual(['orders']);
  });

  it('takes options from a factory that is asynchronous', async () => {
    const module = EmissionsModule.forRootAsync({
      adapters: [Audit],
      useFactory: () => Promise.resolve({ topics: { orders: ['order.created'] } }),
    });

    expect(await created(module)).toEqual(['orders']);
  });

  it('takes options from a class it builds', async () => {
    const module = EmissionsModule.forRootAsync({ adapters: [Audit], useClass: OptionsFactory });

    expect(await created(module)).toEqual(['orders']);
  });

  it('takes options from a class whose method is a field', async () => {
    class FieldOptions {
      createEmissionsOptions = () => ({ topics: { orders: ['order.created'] } });
    }
    const module = EmissionsModule.forRootAsync({ adapters: [Audit], useClass: FieldOptions });

    expect(await created(module)).toEqual(['orders']);
  });

  it('takes options from a class that is there', async () => {
    const module = EmissionsModule.forRootAsync({
      adapters: [Audit],
      imports: [FactoryModule],
      useExisting: OptionsFactory,
    });

    expect(await created(module)).toEqual(['orders']);
  });

  it('lets the adapters inject what the imports export', async () => {
    @Injectable()
    class Configured extends RecordingAdapter {
      constructor(readonly settings: Settings) {
        super();
      }
    }
    await using running = await start({
      imports: [
        EmissionsModule.forRootAsync({
          imports: [SettingsModule],
          adapters: [Configured],
          useFactory: () => ({}),
        }),
      ],
    });

    expect(running.app.get(Configured).settings).toBeInstanceOf(Settings);
  });

  it.each([
    [{ adapters: [] }, /"adapters" is part of the module graph.*beside it/],
    [{ topics: { a: ['x'], b: ['x'] } }, /'x' stands under two topics, 'a' and 'b'/],
    [{ pipelines: {} }, /has no option "pipelines"\. It has: .*pipeline/],
    [{ pipeline: { capacity: 0 } }, /pipeline\.capacity takes a whole number/],
  ])(
    'refuses what a factory should not return, when the application starts: %j',
    async (options, message) => {
      const starting = start({
        imports: [EmissionsModule.forRootAsync({ useFactory: () => options as never })],
      });

      await expect(starting).rejects.toThrow(ConfigurationError);
      await expect(starting).rejects.toThrow(message);
    },
  );
});

describe('EmissionsModule, imported as it is', () => {
  it('refuses to start, and says what to write', async () => {
    const starting = start({ imports: [EmissionsModule] });

    await expect(starting).rejects.toThrow(ConfigurationError);
    await expect(starting).rejects.toThrow(
      /EmissionsModule is imported without its forRoot\. Write EmissionsModule\.forRoot\(\)/,
    );
  });

  it('refuses the same of a feature module, though the root module has forRoot', async () => {
    @Module({ imports: [EmissionsModule] })
    class FeatureModule {}
    const starting = start({ imports: [EmissionsModule.forRoot(), FeatureModule] });

    await expect(starting).rejects.toThrow(/without its forRoot/);
  });
});

/** Every way to import the module wrongly. */
const WRONG: [string, () => DynamicModule, RegExp][] = [
  [
    'an interceptor that is none',
    () => EmissionsModule.forRoot({ interceptor: 'both' as never }),
    /^interceptor takes 'manual' or 'global', but got 'both'/,
  ],
  [
    'adapters that are no array',
    () => EmissionsModule.forRoot({ adapters: {} as never }),
    /^adapters takes an array of registrations/,
  ],
  [
    'an adapter that is none, beside a factory',
    () => EmissionsModule.forRootAsync({ adapters: [7 as never], useFactory: () => ({}) }),
    /^adapters\[0\] takes a class or/,
  ],
  [
    'isGlobal that is neither',
    () => EmissionsModule.forRoot({ isGlobal: 'yes' as never }),
    /^isGlobal takes true or false, but got 'yes'/,
  ],
  [
    'imports that are no array',
    () => EmissionsModule.forRoot({ imports: SettingsModule as never }),
    /^imports takes an array of modules/,
  ],
  ['no options', () => EmissionsModule.forRoot(null as never), /^forRoot takes an object .*null/],
  [
    'a wrong option',
    () => EmissionsModule.forRoot({ maxDepth: 0 }),
    /^maxDepth takes a whole number of 1 or more, but got 0/,
  ],
  [
    'a wrong option of a factory',
    () => EmissionsModule.forRootAsync({ useFactory: () => ({ maxDepth: 0 }) }),
    /^maxDepth takes a whole number of 1 or more, but got 0/,
  ],
  [
    'what belongs into the factory',
    () => EmissionsModule.forRootAsync({ topics: {}, useFactory: () => ({}) } as never),
    /no option "topics" beside the factory; return it from there/,
  ],
  [
    'no factory',
    () => EmissionsModule.forRootAsync({}),
    /^forRootAsync takes exactly one of useFactory, useClass, useExisting, but got none/,
  ],
  [
    'nothing for a factory',
    () => EmissionsModule.forRootAsync(undefined as never),
    /^forRootAsync takes an object of options, but got undefined/,
  ],
  [
    'a factory that is no function',
    () => EmissionsModule.forRootAsync({ useFactory: 7 as never }),
    /^forRootAsync takes a function \(a class: useClass\) as useFactory, but got 7/,
  ],
  [
    'a class of options that is none',
    () => EmissionsModule.forRootAsync({ useClass: 'Options' as never }),
    /^forRootAsync takes a class \(a function: useFactory\) as useClass, but got 'Options'/,
  ],
  [
    'a class of options without its method',
    () => EmissionsModule.forRootAsync({ useClass: Settings as never }),
    /^forRootAsync asks Settings for options with createEmissionsOptions\(\), and it has no such method/,
  ],
  [
    'an option that a feature does not have',
    () => EmissionsModule.forFeature({ topic: {} } as never),
    /^forFeature has no option "topic"/,
  ],
  [
    'an adapter of a feature that is none',
    () => EmissionsModule.forFeature({ adapters: ['audit' as never] }),
    /^adapters\[0\] takes a class or/,
  ],
  [
    'nothing for a feature',
    () => EmissionsModule.forFeature(undefined as never),
    /^forFeature takes an object of options, but got undefined/,
  ],
];

describe('A module that is imported with', () => {
  it.each(WRONG)(
    '%s can be declared, and its application does not start',
    async (_, imported, message) => {
      @Injectable()
      class User {
        constructor(readonly emissions: Emissions) {}
      }
      @Module({ imports: [imported()], providers: [User] })
      class App {}
      const creations = await Promise.allSettled([
        NestFactory.create(App, { logger: false, abortOnError: false }),
        Test.createTestingModule({ imports: [App] }).compile(),
      ]);

      for (const creation of creations) {
        expect(creation).toEqual({ status: 'rejected', reason: expect.any(ConfigurationError) });
        expect((creation as PromiseRejectedResult).reason).toMatchObject({
          message: expect.stringMatching(message),
        });
      }
    },
  );

  it('wrong options harms nobody as long as no application is made of it', async () => {
    const rejected: unknown[] = [];
    const note = (error: unknown): void => void rejected.push(error);
    process.on('unhandledRejection', note);
    EmissionsModule.forRoot({ adapters: {} as never });
    await rounds();
    process.off('unhandledRejection', note);

    expect(rejected).toEqual([]);
  });
});
