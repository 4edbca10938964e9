import { describe, expect, it } from '@jest/globals';
import { Inject, Injectable, Module, type Provider } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  AdapterBinding,
  Emissions,
  EmissionsModule,
  OnEmission,
  type EmissionAdapter,
} from 'nestjs-emissions';
import { EmissionsGateway, EmissionsGatewayModule } from 'nestjs-emissions/gateway';
import {
  EmissionRecorder,
  emissionsTestingModule,
  recordEmissions,
  TestingError,
} from 'nestjs-emissions/testing';
import { captureLogs } from '../support/logs.js';

const happened: string[] = [];

class Connecting implements EmissionAdapter {
  constructor() {
    happened.push('constructed');
  }
  onModuleInit() {
    happened.push('initialized');
  }
  onApplicationShutdown() {
    happened.push('closed');
  }
  deliver() {
    happened.push('delivered');
  }
}

/** As a broker's module brings its adapter along. */
const brought: Provider = {
  provide: AdapterBinding,
  useFactory: () => new AdapterBinding(new Connecting(), 'brought'),
};

@Injectable()
class Reader {
  constructor(@Inject(Connecting) readonly adapter: EmissionAdapter) {}
}

@Module({
  imports: [
    EmissionsModule.forRoot({
      adapters: [
        Connecting,
        { name: 'factory', useFactory: async () => new Connecting() },
        { name: 'options', useClass: Connecting, options: { url: 'amqp://nowhere' } },
      ],
    }),
    EmissionsModule.forFeature({ adapters: [{ name: 'feature', useClass: Connecting }] }),
    EmissionsGatewayModule.forRoot({ anonymous: true }),
  ],
  providers: [brought, Reader],
})
class AppModule {}

describe('recordEmissions', () => {
  it('replaces every adapter of a real module: none is built, initialized, called or closed', async () => {
    happened.length = 0;
    const builder = Test.createTestingModule({ imports: [AppModule] });
    const recorder = recordEmissions(builder);
    const app = (await builder.compile()).createNestApplication({ logger: false });
    await app.init();
    const emissions = app.get(Emissions);
    await emissions.run(() => emissions.emit('a', 1));
    await emissions.settled();
    expect(emissions.describe().adapters).toEqual([]);
    expect(recorder.expectEmitted('a').payload).toBe(1);
    expect(app.get(EmissionsGateway, { strict: false })).toBeInstanceOf(EmissionsGateway);
    expect(() => app.get(Reader).adapter.deliver([], undefined as never)).not.toThrow();
    await app.close();
    expect(happened).toEqual([]);
  });

  it('builds what is something else besides an adapter, and has it deliver nothing', async () => {
    happened.length = 0;
    @Injectable()
    class Projection extends Connecting {
      count = 0;
    }
    @Module({ providers: [Projection], exports: [Projection] })
    class Projections {}
    const builder = Test.createTestingModule({
      imports: [
        Projections,
        EmissionsModule.forRoot({
          imports: [Projections],
          adapters: [{ useExisting: Projection }],
        }),
      ],
    });
    const recorder = recordEmissions(builder);
    const app = await (await builder.compile()).init();
    await app.get(Emissions).run(() => app.get(Emissions).emit('a'));
    await app.get(Emissions).settled();
    expect(app.get(Projection).count).toBe(0);
    expect(recorder.has('a')).toBe(true);
    await app.close();
    expect(happened).toEqual(['constructed', 'initialized', 'closed']);
  });

  it('replaces adapters that are added at run time too', async () => {
    const builder = Test.createTestingModule({ imports: [EmissionsModule.forRoot()] });
    const recorder = recordEmissions(builder);
    const app = await (await builder.compile()).init();
    happened.length = 0;
    const emissions = app.get(Emissions);
    emissions.addAdapter('late', new Connecting());
    await emissions.run(() => emissions.emit('a'));
    await emissions.settled();
    expect(happened).toEqual(['constructed']);
    expect(recorder.has('a')).toBe(true);
    await app.close();
  });

  it('fails where it is asked, when it was called too late to be part of an application', async () => {
    const builder = Test.createTestingModule({ imports: [EmissionsModule.forRoot()] });
    const app = await (await builder.compile()).init();
    const recorder = recordEmissions(builder, { mode: 'strict' });
    await app.get(Emissions).run(() => app.get(Emissions).emit('a'));
    const late = /part of no application.*before builder\.compile\(\)/s;
    expect(() => recorder.verify()).toThrow(TestingError);
    expect(() => recorder.verify()).toThrow(late);
    expect(() => recorder.expectEmitted('a')).toThrow(late);
    expect(() => recorder.expectNotEmitted('a')).toThrow(late);
    await app.close();
  });

  it('gives a recorder that runs functions, and nothing else', async () => {
    const recorder = recordEmissions(Test.createTestingModule({}));
    await expect(recorder.run(undefined as never)).rejects.toThrow(
      /run takes the test as a function, but got undefined/,
    );
  });

  it('refuses an option that there is not', () => {
    const recording = () => recordEmissions(Test.createTestingModule({}), { moed: 1 } as never);
    expect(recording).toThrow('recordEmissions has no option "moed". It has: mode.');
  });

  it.each([
    ['nothing', async () => undefined],
    ['another object', async () => ({})],
    ['a module that was compiled before', () => Test.createTestingModule({}).compile()],
  ])('refuses %s in the place of the builder, and says what to write', async (_, make) => {
    const given = (await make()) as never;
    expect(() => recordEmissions(given)).toThrow(TestingError);
    expect(() => recordEmissions(given)).toThrow(
      /^recordEmissions takes a TestingModuleBuilder, before it is compiled, but got .*recordEmissions\(builder\);$/,
    );
  });

  it('warns of no name that nobody takes: the recorder does', async () => {
    using logs = captureLogs();
    const builder = Test.createTestingModule({ imports: [EmissionsModule.forRoot()] });
    recordEmissions(builder.setLogger(logs));
    const app = await (await builder.compile()).init();
    await app.get(Emissions).run(() => app.get(Emissions).emit('a'));
    await app.close();
    expect(logs.of('warn')).toEqual([]);
  });

  it('keeps two applications in one process apart', async () => {
    const boot = async () => {
      const builder = Test.createTestingModule({ imports: [EmissionsModule.forRoot()] });
      const recorder = recordEmissions(builder);
      return { recorder, app: await (await builder.compile()).init() };
    };
    const [one, other] = [await boot(), await boot()];
    const emissions = one.app.get(Emissions);
    await emissions.run(() => emissions.emit('a'));
    expect(one.recorder.all()).toHaveLength(1);
    expect(other.recorder.all()).toEqual([]);
    await Promise.all([one.app.close(), other.app.close()]);
  });
});

@Injectable()
class Orders {
  constructor(private readonly emissions: Emissions) {}
  place(id: string) {
    this.emissions.emit('order.placed', { id });
  }
  @OnEmission('order.placed')
  confirm({ id }: { id: string }) {
    this.emissions.emit('order.confirmed', { id });
  }
}

describe('emissionsTestingModule', () => {
  it('serves a single provider without an application, and captures what it emits at once', async () => {
    using logs = captureLogs();
    const module = await Test.createTestingModule({
      imports: [emissionsTestingModule()],
      providers: [Orders],
    })
      .setLogger(logs)
      .compile();
    module.get(Orders).place('1');
    const recorder = module.get(EmissionRecorder);
    expect(recorder.expectEmitted('order.placed').payload).toEqual({ id: '1' });
    await module.close();
    expect([...logs.of('warn'), ...logs.of('error')]).toEqual([]);
  });

  it('runs handlers once it is initialized', async () => {
    const module = await Test.createTestingModule({
      imports: [emissionsTestingModule()],
      providers: [Orders],
    }).compile();
    await module.init();
    module.get(Orders).place('1');
    await module.get(Emissions).settled();
    module.get(EmissionRecorder).expectEmittedInOrder(['order.placed', 'order.confirmed']);
    await module.close();
  });

  it('takes a mode and the options of the real module', async () => {
    const module = await Test.createTestingModule({
      imports: [emissionsTestingModule({ mode: 'strict', topics: { orders: ['order.placed'] } })],
      providers: [Orders],
    }).compile();
    module.get(Orders).place('1');
    const recorder = module.get(EmissionRecorder);
    expect(recorder.mode).toBe('strict');
    expect(recorder.all()).toMatchObject([{ topic: 'orders' }]);
    expect(() => recorder.verify()).toThrow(/\(Orders\.place\)/);
    await module.close();
  });

  it('can drop what is emitted without a unit of work, as an application does', async () => {
    const module = await Test.createTestingModule({
      imports: [emissionsTestingModule({ unbuffered: 'drop' })],
      providers: [Orders],
    }).compile();
    module.get(Orders).place('1');
    expect(module.get(EmissionRecorder).all()).toEqual([]);
    await module.close();
  });

  it.each([
    [{ mode: 'loud' }, /modes 'default', 'strict', 'inline'/],
    [{ adapter: [] }, /has no option "adapter"/],
  ])('refuses %j', async (options, message) => {
    const compile = async () =>
      Test.createTestingModule({ imports: [emissionsTestingModule(options as object)] }).compile();
    await expect(compile()).rejects.toThrow(message);
  });
});
