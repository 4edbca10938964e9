import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  Inject,
  Injectable,
  Module,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  ADAPTER_OPTIONS,
  AdapterBinding,
  EmissionsModule,
  Emissions,
  type AdapterRegistration,
  type BringsAdapter,
  type Emission,
} from 'nestjs-emissions';
import { RecordingAdapter } from './support/adapters.js';
import { start } from './support/app.js';
import { emitAndSettle } from './support/emit.js';
import { silence } from './support/logs.js';
import { listen } from './support/signals.js';

beforeEach(silence);

@Injectable()
class Clock {
  readonly now = 'noon';
}
@Module({ providers: [Clock], exports: [Clock] })
class ClockModule {}

@Injectable()
class AuditAdapter extends RecordingAdapter {}

@Injectable()
class FileAdapter extends RecordingAdapter implements OnModuleInit, OnApplicationShutdown {
  readonly life: string[] = [];
  constructor(
    @Inject(ADAPTER_OPTIONS) readonly options: { path: string },
    readonly clock: Clock,
  ) {
    super();
  }
  onModuleInit(): void {
    this.life.push('init');
  }
  override deliver(batch: readonly Emission[]): void {
    this.life.push(`deliver ${batch.length}`);
    void super.deliver(batch);
  }
  onApplicationShutdown(): void {
    this.life.push('shutdown');
  }
}

/** Starts an application with these adapters and lists the ones that are served. */
const startWith = (...adapters: AdapterRegistration[]) =>
  start({
    imports: [EmissionsModule.forRoot({ adapters, imports: [ClockModule] })],
    providers: [{ provide: 'existing', useValue: new RecordingAdapter() }],
  });
const names = (emissions: Emissions) => emissions.describe().adapters.map(({ name }) => name);

describe('An adapter is registered', () => {
  it('by its class: Nest builds it, and it can be injected by it', async () => {
    await using running = await startWith(AuditAdapter);
    await emitAndSettle(running.emissions, 'a');

    expect(names(running.emissions)).toEqual(['AuditAdapter']);
    expect(running.app.get(AuditAdapter).names).toEqual(['a']);
  });

  it('with useClass and options: built and initialized once with them before the first batch, closed after the last', async () => {
    const running = await startWith({
      useClass: FileAdapter,
      options: { path: '/a' },
      name: 'file',
    });
    const adapter = running.app.get(FileAdapter);
    await emitAndSettle(running.emissions, 'a', 'b');
    await running.close();

    expect(names(running.emissions)).toEqual(['file']);
    expect(adapter.options).toEqual({ path: '/a' });
    expect(adapter.clock.now).toBe('noon');
    expect(adapter.life).toEqual(['init', 'deliver 2', 'shutdown']);
  });

  it('with useFactory and inject, which may be asynchronous', async () => {
    const made: RecordingAdapter[] = [];
    const make = (clock: Clock) => {
      made.push(Object.assign(new RecordingAdapter(), { name: `made at ${clock.now}` }));
      return made.at(-1)!;
    };
    await using running = await startWith(
      { useFactory: make, inject: [Clock] },
      { name: 'later', useFactory: async (clock: Clock) => make(clock), inject: [Clock] },
    );
    await emitAndSettle(running.emissions, 'a');

    expect(names(running.emissions)).toEqual(['made at noon', 'later']);
    expect(made.map((adapter) => adapter.names)).toEqual([['a'], ['a']]);
  });

  it('with useExisting: the provider that is there serves', async () => {
    @Module({ providers: [AuditAdapter], exports: [AuditAdapter] })
    class AuditModule {}
    await using running = await start({
      imports: [
        AuditModule,
        EmissionsModule.forRoot({
          imports: [AuditModule],
          adapters: [{ useExisting: AuditAdapter }],
        }),
      ],
    });
    await emitAndSettle(running.emissions, 'a');

    expect(running.app.get(AuditAdapter).names).toEqual(['a']);
  });

  it('with useValue', async () => {
    const adapter = new RecordingAdapter();
    await using running = await startWith({ name: 'mine', useValue: adapter });
    await emitAndSettle(running.emissions, 'a');

    expect(adapter.names).toEqual(['a']);
    expect(names(running.emissions)).toEqual(['mine']);
  });

  it('by any module that provides an AdapterBinding', async () => {
    const adapter = new RecordingAdapter();
    @Module({
      providers: [
        { provide: 'own', useValue: new AdapterBinding(adapter, 'own', { batchSize: 1 }) },
      ],
    })
    class Own {}
    await using running = await start({ imports: [EmissionsModule.forRoot({}), Own] });
    await emitAndSettle(running.emissions, 'a', 'b');

    expect(adapter.sizes).toEqual([1, 1]);
  });

  it('by any provider whose class brings one along, and only once however many aliases it has', async () => {
    @Injectable()
    class Gateway implements BringsAdapter {
      readonly adapter = new RecordingAdapter();
      get emissionsAdapter(): AdapterBinding {
        return new AdapterBinding(this.adapter, 'gateway');
      }
    }
    await using running = await start({
      imports: [EmissionsModule.forRoot({})],
      providers: [Gateway, { provide: 'alias', useExisting: Gateway }],
    });
    await emitAndSettle(running.emissions, 'a');

    expect(running.app.get(Gateway).adapter.names).toEqual(['a']);
    expect(names(running.emissions)).toEqual(['gateway']);
  });

  it.each(['reference', 'deep-hash'] as const)(
    'several times with one class: each is an instance of its own, with its own options, state and signals (modules by %s)',
    async (moduleIdGeneratorAlgorithm) => {
      const module = await Test.createTestingModule(
        {
          imports: [
            EmissionsModule.forRoot({
              imports: [ClockModule],
              adapters: [
                { useClass: FileAdapter, options: { path: '/a' } },
                { useClass: FileAdapter, options: { path: '/b' }, name: 'b' },
                AuditAdapter,
                AuditAdapter,
              ],
            }),
          ],
        },
        { moduleIdGeneratorAlgorithm },
      ).compile();
      const app = module.createNestApplication({ logger: false });
      await app.init();
      using log = listen('emissions:adapter:delivered');
      await emitAndSettle(app.get(Emissions), 'a');
      await app.close();

      expect(log.all.map(({ message }) => message.adapter).toSorted()).toEqual([
        'AuditAdapter',
        'AuditAdapter#2',
        'FileAdapter',
        'b',
      ]);
    },
  );

  it('with its own consumer options, over those of the pipeline', async () => {
    await using running = await start({
      imports: [
        EmissionsModule.forRoot({
          pipeline: { batchSize: 7, retry: { attempts: 3 } },
          adapters: [
            AuditAdapter,
            { name: 'own', useValue: new RecordingAdapter(), consumer: { batchSize: 2 } },
          ],
        }),
      ],
    });

    expect(running.emissions.describe().adapters).toMatchObject([
      { name: 'AuditAdapter', options: { batchSize: 7, retry: { attempts: 3 } } },
      { name: 'own', options: { batchSize: 2, retry: { attempts: 3 } } },
    ]);
  });

  it('so that it may inject what it delivers for, Emissions included', async () => {
    @Injectable()
    class Echo extends RecordingAdapter {
      constructor(readonly source: Emissions) {
        super();
      }
    }
    await using running = await startWith(Echo);

    expect(running.app.get(Echo).source).toBe(running.emissions);
  });
});
