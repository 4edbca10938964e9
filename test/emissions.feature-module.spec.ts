import { beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable, Module, type Type } from '@nestjs/common';
import { ConfigurationError, EmissionsModule, TopicRouter } from 'nestjs-emissions';
import { RecordingAdapter } from './support/adapters.js';
import { start } from './support/app.js';
import { emitAndSettle } from './support/emit.js';
import { silence } from './support/logs.js';

beforeEach(silence);

@Injectable()
class Settings {
  readonly path = '/var/log';
}
@Module({ providers: [Settings], exports: [Settings] })
class SettingsModule {}

@Injectable()
class Audit extends RecordingAdapter {}

describe('forFeature', () => {
  const feature = (
    given: Parameters<typeof EmissionsModule.forFeature>[0],
    name = 'Feature',
  ): Type => {
    const type = { [name]: class {} }[name]!;
    Module({ imports: [EmissionsModule.forFeature(given)] })(type);
    return type;
  };

  it.each([true, false])(
    "adds a feature's own adapters and topics (isGlobal: %s)",
    async (isGlobal) => {
      await using running = await start({
        imports: [
          feature({
            adapters: [Audit],
            topics: { users: ['user.created'], orders: ['order.paid'] },
          }),
          EmissionsModule.forRoot({
            isGlobal,
            adapters: [RecordingAdapter],
            topics: { orders: ['order.created'] },
          }),
        ],
      });
      await emitAndSettle(running.emissions, 'user.created', 'order.created', 'order.paid');

      for (const type of [Audit, RecordingAdapter])
        expect(running.app.get(type).emissions.map(({ topic }) => topic)).toEqual([
          'users',
          'orders',
          'orders',
        ]);
      expect(running.app.get(TopicRouter).namesOf('orders')).toEqual([
        'order.created',
        'order.paid',
      ]);
    },
  );

  it('lets its adapters be injected in the feature, and inject what its imports export', async () => {
    @Injectable()
    class Local extends RecordingAdapter {
      constructor(readonly settings: Settings) {
        super();
      }
    }
    @Injectable()
    class User {
      constructor(readonly adapter: Local) {}
    }
    @Module({
      imports: [EmissionsModule.forFeature({ adapters: [Local], imports: [SettingsModule] })],
      providers: [User],
    })
    class Feature {}
    await using running = await start({ imports: [EmissionsModule.forRoot({}), Feature] });

    expect(running.app.get(User).adapter.settings).toBeInstanceOf(Settings);
  });

  it.each<[string, Type[], RegExp]>([
    [
      'a name that belongs to another topic',
      [feature({ topics: { a: ['x'] } }, 'A'), feature({ topics: { b: ['x'] } }, 'B')],
      /'x' stands under two topics/,
    ],
    [
      "an adapter's name that is taken",
      [
        feature({ adapters: [{ name: 'x', useClass: Audit }] }, 'A'),
        feature({ adapters: [{ name: 'x', useClass: Audit }] }, 'B'),
      ],
      /Two adapters are registered with the name 'x'/,
    ],
  ])('is refused with %s', async (_, features, message) => {
    const starting = start({ imports: [EmissionsModule.forRoot({}), ...features] });

    await expect(starting).rejects.toThrow(ConfigurationError);
    await expect(starting).rejects.toThrow(message);
  });

  it('is refused without forRoot, whose pipeline it would feed', async () => {
    const starting = start({ imports: [feature({ adapters: [Audit] })] });

    await expect(starting).rejects.toThrow(
      /forFeature is imported, but EmissionsModule\.forRoot is not/,
    );
  });
});
