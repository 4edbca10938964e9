import { beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable, Module, type DynamicModule } from '@nestjs/common';
import {
  ConfigurationError,
  EmissionsModule,
  defineTopics,
  type EmissionsOptions,
} from 'nestjs-emissions';
import { RecordingAdapter } from './support/adapters.js';
import { start } from './support/app.js';
import { emitAndSettle } from './support/emit.js';
import { silence } from './support/logs.js';

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

describe('forRoot', () => {
  it.each([
    [{ interceptor: 'both' }, /interceptor takes 'manual' or 'global', but got 'both'/],
    [{ adapters: {} }, /adapters takes an array of registrations/],
  ])('refuses what is no part of the module graph: %j', (options, message) => {
    expect(() => EmissionsModule.forRoot(options as never)).toThrow(ConfigurationError);
    expect(() => EmissionsModule.forRoot(options as never)).toThrow(message);
  });
});

describe('forRootAsync beside its factory', () => {
  it('takes nothing that belongs into it', () => {
    const misplaced = { topics: {}, useFactory: () => ({}) };

    expect(() => EmissionsModule.forRootAsync(misplaced as never)).toThrow(
      /no option "topics" beside the factory; return it from there/,
    );
  });
});
