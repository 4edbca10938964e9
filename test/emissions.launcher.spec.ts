import { beforeEach, describe, expect, it } from '@jest/globals';
import {
  Injectable,
  Module,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import { Test } from '@nestjs/testing';
import {
  Emissions,
  EmissionsModule,
  OnEmission,
  PipelineClosedError,
  type Emission,
} from 'nestjs-emissions';
import { HeldAdapter, RecordingAdapter } from './support/adapters.js';
import { SERVERS, serve, start } from './support/app.js';
import { emit } from './support/emit.js';
import { HeldOrders } from './support/held-orders.js';
import { captureLogs, silence } from './support/logs.js';
import { listen } from './support/signals.js';
import { rounds, until } from './support/until.js';

beforeEach(silence);

/** Writes down what happens to it. */
@Injectable()
class Diary extends RecordingAdapter implements OnModuleInit, OnApplicationShutdown {
  readonly life: string[] = [];
  onModuleInit(): void {
    this.life.push('init');
  }
  override deliver(batch: readonly Emission[]): void | Promise<void> {
    this.life.push(...batch.map(({ name }) => name));
  }
  onApplicationShutdown(): void {
    this.life.push('shutdown');
  }
}

describe('While the application starts', () => {
  @Injectable()
  class Early implements OnModuleInit, OnApplicationBootstrap {
    constructor(private readonly emissions: Emissions) {
      void emit(this.emissions, 'constructed');
    }
    async onModuleInit(): Promise<void> {
      await emit(this.emissions, 'initialized');
      await rounds();
    }
    async onApplicationBootstrap(): Promise<void> {
      await emit(this.emissions, 'bootstrapped');
    }
  }
  @Module({ providers: [Early] })
  class Feature {}
  @Injectable()
  class Listener implements OnModuleInit {
    readonly life: string[] = [];
    onModuleInit(): void {
      this.life.push('init');
    }
    @OnEmission('*')
    handle(_payload: unknown, { name }: Emission): void {
      this.life.push(name);
    }
  }

  it.each([
    ['before', (root: object) => [Feature, root]],
    ['after', (root: object) => [root, Feature]],
  ])(
    'what is emitted (by a module %s) is kept, and delivered in order when all is initialized',
    async (_, imports) => {
      const root = EmissionsModule.forRoot({ adapters: [Diary] });
      await using running = await start({ imports: imports(root) as never, providers: [Listener] });
      await running.emissions.settled();

      const life = ['init', 'constructed', 'initialized', 'bootstrapped'];
      expect(running.app.get(Diary).life).toEqual(life);
      expect(running.app.get(Listener).life).toEqual(life);
    },
  );
});

describe('When the application closes', () => {
  @Injectable()
  class Parting implements OnModuleDestroy {
    constructor(private readonly emissions: Emissions) {}
    async onModuleDestroy(): Promise<void> {
      await emit(this.emissions, 'destroyed');
    }
    @OnEmission('destroyed')
    async handle(): Promise<void> {
      await rounds();
      this.emissions.emit('handled');
    }
  }

  it('everything pending is delivered before its adapter is closed, cascades included', async () => {
    const running = await start({
      imports: [EmissionsModule.forRoot({ adapters: [Diary] })],
      providers: [Parting],
    });
    await emit(running.emissions, 'a', 'b');
    await running.close();

    expect(running.app.get(Diary).life).toEqual([
      'init',
      'a',
      'b',
      'destroyed',
      'handled',
      'shutdown',
    ]);
  });

  it('that takes no longer than drainTimeoutMs with a stuck adapter: what is left is named and counted, its signal aborted', async () => {
    const stuck = new HeldAdapter();
    const running = await start({
      imports: [
        EmissionsModule.forRoot({
          pipeline: { drainTimeoutMs: 20 },
          adapters: [{ name: 'stuck', useValue: stuck }, Diary],
        }),
      ],
    });
    using logs = captureLogs();
    using log = listen('emissions:emission:dropped');
    await emit(running.emissions, 'a', 'b');
    const before = performance.now();
    await running.close();

    expect(performance.now() - before).toBeLessThan(2_000);
    expect(stuck.contexts[0]!.signal.aborted).toBe(true);
    expect(running.app.get(Diary).life).toEqual(['init', 'a', 'b', 'shutdown']);
    expect(log.all.map(({ message }) => message)).toEqual([
      { reason: 'shutdown', emission: 'a', count: 2, consumer: 'stuck' },
    ]);
    expect(logs.of('error')).toEqual([expect.stringMatching(/undelivered: stuck: 2\./)]);
  });

  it('a commit afterwards is refused', async () => {
    const running = await start({ imports: [EmissionsModule.forRoot({})] });
    await running.close();

    await expect(emit(running.emissions, 'a')).rejects.toThrow(PipelineClosedError);
  });

  it('a commit that waits for room is refused', async () => {
    const stuck = new HeldAdapter();
    const running = await start({
      imports: [
        EmissionsModule.forRoot({
          pipeline: { drainTimeoutMs: 10, capacity: 1 },
          adapters: [{ name: 'stuck', useValue: stuck }],
        }),
      ],
    });
    await emit(running.emissions, 'a');
    const waiting = emit(running.emissions, 'b').catch((error: unknown) => error);
    await running.close();

    expect(await waiting).toBeInstanceOf(PipelineClosedError);
  });

  it('closing twice, or an application that never started, is harmless', async () => {
    const running = await start({ imports: [EmissionsModule.forRoot({ adapters: [Diary] })] });
    await Promise.all([running.close(), running.close()]);
    const module = await Test.createTestingModule({
      imports: [EmissionsModule.forRoot({})],
    }).compile();

    await expect(module.createNestApplication({ logger: false }).close()).resolves.toBeUndefined();
    expect(running.app.get(Diary).life).toEqual(['init', 'shutdown']);
  });

  it('no timer is left behind', async () => {
    const timers = () => process.getActiveResourcesInfo().filter((type) => type === 'Timeout');
    const before = timers().length;
    const running = await start({
      imports: [
        EmissionsModule.forRoot({
          pipeline: {
            drainTimeoutMs: 10,
            timeoutMs: 60_000,
            retry: { attempts: 2, backoffMs: 60_000 },
          },
          adapters: [
            { name: 'stuck', useValue: new HeldAdapter() },
            { name: 'failing', useValue: { deliver: () => Promise.reject(new Error('no')) } },
            { name: 'full', useValue: new HeldAdapter(), consumer: { capacity: 1 } },
          ],
        }),
      ],
    });
    await emit(running.emissions, 'a');
    const waiting = emit(running.emissions, 'b').catch(() => {});
    await rounds();
    expect(timers().length).toBeGreaterThan(before);
    await running.close();
    await waiting;

    expect(timers()).toHaveLength(before);
  });
});

describe.each(SERVERS)('A request that is running when the application closes (%s)', (server) => {
  /** Takes a while for each batch. */
  @Injectable()
  class Slow extends Diary {
    override async deliver(batch: readonly Emission[]): Promise<void> {
      await rounds(20);
      await super.deliver(batch);
    }
  }

  it('is answered, and what it emitted is delivered before the adapters are closed', async () => {
    const running = await serve(
      { imports: [EmissionsModule.forRoot({ adapters: [Slow] })], controllers: [HeldOrders] },
      server,
    );
    const response = running.request('POST', '/orders', {}, { connection: 'close' });
    const orders = running.app.get(HeldOrders);
    await until(() => orders.arrived);
    const closing = running.close();
    await rounds(50);
    orders.answer();

    expect((await response).status).toBe(201);
    await closing;
    expect(running.app.get(Slow).life).toEqual(['init', 'order.created', 'shutdown']);
  });
});
