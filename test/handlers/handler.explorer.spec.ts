import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Injectable, type ModuleMetadata, type Provider } from '@nestjs/common';
import {
  EmissionsModule,
  EmissionType,
  OnEmission,
  type Emission,
  type HandlerContext,
} from 'nestjs-emissions';
import { start, type RunningApp } from '../support/app.js';
import { emitAndSettle } from '../support/emit.js';

/** Who was called with what, in order. */
const calls: string[] = [];
const call = (who: string, emission: Emission): void => void calls.push(`${who}: ${emission.name}`);

@EmissionType('order.paid')
class OrderPaid {
  constructor(readonly total: number) {}
}

@Injectable()
class Stock {
  readonly args: unknown[][] = [];

  @OnEmission('order.created')
  reserve(...args: [unknown, Emission, HandlerContext]): void {
    this.args.push(args);
    call('reserve', args[1]);
  }

  @OnEmission('a.*')
  @OnEmission(['b.one', /^c\./])
  @OnEmission('a.one')
  @OnEmission(OrderPaid)
  several(_payload: unknown, emission: Emission): void {
    call('several', emission);
  }

  @OnEmission('twice.*')
  @OnEmission('twice.one', { priority: 3 })
  @OnEmission('twice.one', { id: 'third-time', priority: 9 })
  twice(_payload: unknown, emission: Emission, { handlerId }: HandlerContext): void {
    call(handlerId, emission);
  }
}

class Base {
  @OnEmission('inherited')
  inherited(_payload: unknown, emission: Emission): void {
    call(`${this.constructor.name}.inherited`, emission);
  }

  @OnEmission('overridden')
  overridden(_payload: unknown, emission: Emission): void {
    call('Base.overridden', emission);
  }
}
@Injectable()
class Child extends Base {
  override overridden(): void {
    calls.push('must not be called');
  }
}
@Injectable()
class OtherChild extends Base {
  @OnEmission('overridden')
  override overridden(_payload: unknown, emission: Emission): void {
    call('OtherChild.overridden', emission);
  }
}

@Controller()
class Orders {
  @OnEmission('for.controller')
  handle(_payload: unknown, emission: Emission): void {
    call('controller', emission);
  }
}

class Made {
  constructor(private readonly who: string) {}

  @OnEmission('for.made')
  handle(_payload: unknown, emission: Emission): void {
    call(this.who, emission);
  }
}
class MadeElsewhere extends Made {}
class MadeLater extends Made {}

const oddities: Provider[] = [
  { provide: 'a string', useValue: 'handle' },
  { provide: 'nothing', useValue: null },
  { provide: 'a function', useValue: () => {} },
  { provide: 'without prototype', useValue: Object.create(null) as object },
  { provide: 'plain', useValue: { handle: () => {} } },
  {
    provide: 'getter',
    useValue: new (class {
      get explosive(): never {
        throw new Error('do not touch');
      }
    })(),
  },
];

const application: ModuleMetadata = {
  imports: [EmissionsModule.forRoot({})],
  controllers: [Orders],
  providers: [
    Stock,
    { provide: 'alias', useExisting: Stock },
    { provide: 'the same instance', useFactory: (stock: Stock) => stock, inject: [Stock] },
    Child,
    OtherChild,
    { provide: 'value', useValue: new Made('useValue') },
    { provide: 'factory', useFactory: () => new MadeElsewhere('useFactory') },
    { provide: 'later', useFactory: () => Promise.resolve(new MadeLater('useFactory, async')) },
    ...oddities,
  ],
};

describe('A handler', () => {
  let running: RunningApp;
  beforeAll(async () => {
    running = await start(application);
  });
  afterAll(() => running.close());

  const callsOf = async (...names: string[]): Promise<string[]> => {
    calls.length = 0;
    await emitAndSettle(running.emissions, ...names);
    return calls.slice();
  };

  it('is called once for each emission it takes, with payload, emission and context', async () => {
    await emitAndSettle(running.emissions, ['order.created', { id: 7 }, { from: 'web' }]);
    const [[payload, emission, context]] = running.app.get(Stock).args as [
      [unknown, Emission, HandlerContext],
    ];

    expect(running.app.get(Stock).args).toHaveLength(1);
    expect(payload).toEqual({ id: 7 });
    expect(emission).toMatchObject({ name: 'order.created', metadata: { from: 'web' } });
    expect(emission.payload).toBe(payload);
    expect(context).toMatchObject({ attempt: 1, handlerId: 'Stock.reserve' });
    expect(context.signal.aborted).toBe(false);
  });

  it('is called as a method of its host', async () => {
    expect(await callsOf('inherited')).toContain('Child.inherited: inherited');
  });

  it('with several decorators that say the same is one handler, called once', async () => {
    expect(await callsOf('a.one', 'b.one', 'b.two', 'c.x', 'order.paid')).toEqual([
      'several: a.one',
      'several: b.one',
      'several: c.x',
      'several: order.paid',
    ]);
    expect(running.emissions.subscribers('a.one')).toEqual([
      { id: 'Stock.several', pattern: 'a.* | b.one | /^c\\./ | a.one | order.paid' },
    ]);
  });

  it('with decorators that say something else is as many handlers, numbered unless they are named', async () => {
    expect(await callsOf('twice.one', 'twice.two')).toEqual([
      'Stock.twice: twice.one',
      'Stock.twice#2: twice.one',
      'third-time: twice.one',
      'Stock.twice: twice.two',
    ]);
  });

  it('is found on controllers', async () => {
    expect(await callsOf('for.controller')).toEqual(['controller: for.controller']);
  });

  it('is inherited, by each subclass as its own; an override without decorator is none', async () => {
    expect(await callsOf('inherited', 'overridden')).toEqual([
      'Child.inherited: inherited',
      'OtherChild.inherited: inherited',
      'OtherChild.overridden: overridden',
    ]);
  });

  it('is found where the host is made by a factory or given as a value, and once however many aliases it has', async () => {
    expect((await callsOf('for.made')).toSorted()).toEqual([
      'useFactory, async: for.made',
      'useFactory: for.made',
      'useValue: for.made',
    ]);
    expect(await callsOf('order.created')).toEqual(['reserve: order.created']);
  });

  it('is listed with its host, in the order of the modules', () => {
    const { handlers } = running.emissions.describe();

    expect(handlers.find(({ id }) => id === 'Stock.reserve')).toMatchObject({
      pattern: 'order.created',
      host: 'Stock (module RootTestModule)',
      filters: false,
      critical: false,
      once: false,
      priority: 0,
      pending: 0,
      options: { concurrency: 16, batchSize: 1, retry: { attempts: 1 } },
    });
  });

  it('need not be there: without any, no handler is listed', async () => {
    await using bare = await start({ imports: [EmissionsModule.forRoot({})] });

    expect(bare.emissions.describe()).toMatchObject({ adapters: [], handlers: [] });
  });
});
