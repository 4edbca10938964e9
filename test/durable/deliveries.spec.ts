import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import {
  Emissions,
  EmissionsModule,
  EmissionType,
  IGNORED,
  OnEmission,
  type Emission,
  type HandlerContext,
} from 'nestjs-emissions';
import { EmissionsDurableModule, NonRetryableError } from 'nestjs-emissions/durable';
import { RecordingAdapter } from '../support/adapters.js';
import { start, type RunningApp } from '../support/app.js';
import { DATABASES, type TestDatabase } from '../support/databases.js';
import { listen } from '../support/signals.js';
import { until } from '../support/until.js';

@EmissionType('order.placed', { key: (order: OrderPlaced) => order.id })
class OrderPlaced {
  constructor(
    readonly id: string,
    readonly at: Date,
    readonly total: bigint,
  ) {}
}

interface Call {
  readonly payload: unknown;
  readonly emission: Emission;
  readonly context: HandlerContext;
}

@Injectable()
class Handlers {
  readonly calls: Record<string, Call[]> = {};
  fails: (call: Call) => unknown = () => undefined;

  constructor(private readonly emissions: Emissions) {}

  #called(name: string, payload: unknown, emission: Emission, context: HandlerContext): unknown {
    const call = { payload, emission, context };
    (this.calls[name] ??= []).push(call);
    return this.fails(call);
  }

  @OnEmission('plain.*', { durable: true, id: 'plain' })
  plain(payload: unknown, emission: Emission, context: HandlerContext): unknown {
    return this.#called('plain', payload, emission, context);
  }

  @OnEmission(OrderPlaced, { durable: true })
  invoice(payload: unknown, emission: Emission, context: HandlerContext): unknown {
    return this.#called('invoice', payload, emission, context);
  }

  @OnEmission('picky', { durable: true, interested: ({ payload }) => payload.wanted })
  picky(payload: unknown, emission: Emission, context: HandlerContext): unknown {
    return this.#called('picky', payload, emission, context);
  }

  @OnEmission('retried', { durable: true, maxAttempts: 3, retry: { backoffMs: 1 } })
  retried(payload: unknown, emission: Emission, context: HandlerContext): unknown {
    return this.#called('retried', payload, emission, context);
  }

  @OnEmission('slow', { durable: true, maxAttempts: 1, timeoutMs: 20 })
  slow(payload: unknown, emission: Emission, context: HandlerContext): unknown {
    return this.#called('slow', payload, emission, context);
  }

  @OnEmission('cause', { durable: true })
  causes(payload: unknown, emission: Emission, context: HandlerContext): void {
    this.emissions.emit('plain.effect', { of: payload });
    this.#called('cause', payload, emission, context);
  }

  @OnEmission('plain.*', { id: 'in process' })
  inProcess(payload: unknown, emission: Emission, context: HandlerContext): unknown {
    return this.#called('in process', payload, emission, context);
  }
}

describe.each(DATABASES)('Durable deliveries on %s', (_, makeDatabase) => {
  let database: TestDatabase;
  let running: RunningApp;
  let handlers: Handlers;
  let emissions: Emissions;
  const sink = new RecordingAdapter();

  beforeAll(async () => {
    database = await makeDatabase();
    running = await start({
      imports: [
        EmissionsModule.forRoot({
          tenancy: { key: 'orgId' },
          adapters: [{ name: 'sink', useValue: sink }],
        }),
        EmissionsDurableModule.forRoot(database.options),
      ],
      providers: [Handlers],
    });
    handlers = running.app.get(Handlers);
    ({ emissions } = running);
  }, 60_000);

  afterAll(async () => {
    await running.close();
    await database[Symbol.asyncDispose]();
  });

  const callsOf = (name: string): Call[] => handlers.calls[name] ?? [];
  const delivered = (event: string) => sink.emissions.filter(({ name }) => name === event);
  const stored = (event: string) =>
    database.query(
      `SELECT name, state::text, priority, singleton_key, group_id, data FROM ${database.schema}.job
       WHERE data->'emission'->>'name' = $1 ORDER BY created_on`,
      [event],
    );

  it('reach each durable handler once, and are completed', async () => {
    using log = listen('emissions:delivery:completed', 'emissions:delivery:enqueued');
    await emissions.run(() => {
      emissions.emit('plain.one', { n: 1 }, { orgId: 'org-1' });
      emissions.emit('plain.two', { n: 2 });
    });
    await until(() => log.of('emissions:delivery:completed').length === 2);
    const calls = callsOf('plain');
    expect(calls.map(({ payload }) => payload)).toEqual([{ n: 1 }, { n: 2 }]);
    expect(calls[0]).toMatchObject({
      emission: { name: 'plain.one', tenant: 'org-1', depth: 0, metadata: { orgId: 'org-1' } },
      context: { attempt: 1, handlerId: 'plain', deliveryId: calls[0]!.emission.id },
    });
    expect(log.of('emissions:delivery:enqueued')).toMatchObject([
      { count: 2, emission: 'plain.one' },
    ]);
    expect(await stored('plain.one')).toMatchObject([
      { name: 'plain', state: 'completed', singleton_key: null, group_id: 'org-1' },
    ]);
    await emissions.settled();
    expect(callsOf('in process')).toHaveLength(2);
  });

  it('are the emissions that were emitted: equal, frozen, of the same types', async () => {
    let emitted: Emission | undefined;
    const order = new OrderPlaced('o-1', new Date(5), 2n ** 70n);
    await emissions.run(() => {
      emitted = emissions.emit(order, { map: new Map([[1, new Set(['a'])]]) }, { source: 's' });
    });
    await until(() => callsOf('invoice').length === 1);
    const [{ payload, emission }] = callsOf('invoice') as [Call];
    expect(payload).toStrictEqual(order);
    expect(payload).toBeInstanceOf(OrderPlaced);
    expect({ ...emission }).toEqual({ ...emitted });
    expect([Object.isFrozen(emission), Object.isFrozen(payload)]).toEqual([true, true]);
    expect(await stored('order.placed')).toMatchObject([
      {
        singleton_key: 'o-1',
        data: { emission: { payload: { id: 'o-1', at: '1970-01-01T00:00:00.005Z' } } },
      },
    ]);
  });

  it('are stored for whom they interest alone', async () => {
    await emissions.run(() => {
      emissions.emit('picky', { wanted: false });
      emissions.emit('picky', { wanted: true });
    });
    await until(() => callsOf('picky').length === 1);
    expect(await stored('picky')).toHaveLength(1);
  });

  it('fail the commit when it cannot be told whom they interest, and nothing is delivered', async () => {
    await expect(
      emissions.run(() => {
        emissions.emit('plain.lost', { n: 1 });
        emissions.emit('picky', null);
      }),
    ).rejects.toThrow(TypeError);
    await emissions.settled();
    expect([await stored('plain.lost'), delivered('plain.lost')]).toEqual([[], []]);
  });

  it('fail the commit when they cannot be stored, and nothing is delivered', async () => {
    const move = (from: string, to: string) =>
      database.query(`ALTER TABLE ${database.schema}.${from} RENAME TO ${to}`);
    await move('queue', 'elsewhere');
    try {
      await expect(
        emissions.run(() => void emissions.emit('plain.lost', { n: 1 })),
      ).rejects.toMatchObject({ code: 'EMISSIONS_NOT_STORED' });
    } finally {
      await move('elsewhere', 'queue');
    }
    await emissions.settled();
    expect([await stored('plain.lost'), delivered('plain.lost')]).toEqual([[], []]);
  });

  it('are tried again until the handler takes them', async () => {
    using log = listen('emissions:delivery:failed', 'emissions:delivery:completed');
    handlers.fails = ({ context }) => {
      if (context.attempt < 3) throw new Error(`not yet ${context.attempt}`);
    };
    await emissions.run(() => void emissions.emit('retried', 1));
    await until(() => log.of('emissions:delivery:completed').length === 1);
    expect(callsOf('retried').map(({ context }) => context.attempt)).toEqual([1, 2, 3]);
    expect(log.of('emissions:delivery:failed')).toMatchObject([
      { consumer: 'Handlers.retried', attempt: 1, error: { message: 'not yet 1' } },
      { attempt: 2, error: { message: 'not yet 2' } },
    ]);
    handlers.calls['retried'] = [];
  });

  it('are kept as dead, with all their errors, when no attempt is left', async () => {
    using log = listen('emissions:delivery:dead');
    handlers.fails = ({ context }) => {
      throw Object.assign(new RangeError(`no ${context.attempt}`), { code: 'E_NO' });
    };
    await emissions.run(() => void emissions.emit('retried', 2));
    await until(() => log.all.length === 1);
    const [row] = await database.query(
      `SELECT state::text, output, deletion_seconds FROM ${database.schema}.job
       WHERE name = 'Handlers.retried' AND data->'emission'->>'payload' = '2'`,
    );
    expect(row).toMatchObject({ state: 'failed', deletion_seconds: 0 });
    expect(row!['output'].errors).toMatchObject([
      { attempt: 1, name: 'RangeError', message: 'no 1', code: 'E_NO' },
      { attempt: 2, message: 'no 2' },
      { attempt: 3, message: 'no 3' },
    ]);
  });

  it('are dead at once when trying again cannot help', async () => {
    using log = listen('emissions:delivery:dead');
    handlers.fails = () => {
      throw new NonRetryableError('never');
    };
    await emissions.run(() => void emissions.emit('retried', 3));
    await until(() => log.all.length === 1);
    expect(log.all[0]!.message).toMatchObject({ attempt: 1, error: { message: 'never' } });
  });

  it('are completed when they are ignored, and what was emitted meanwhile is discarded', async () => {
    using log = listen('emissions:delivery:completed');
    handlers.fails = ({ emission }) => {
      if (emission.name !== 'retried') return undefined;
      emissions.emit('plain.ignored');
      return IGNORED;
    };
    await emissions.run(() => void emissions.emit('retried', 4));
    await until(() => log.all.length === 1);
    expect(await stored('plain.ignored')).toEqual([]);
  });

  it('fail when they take too long, and their signal is aborted', async () => {
    using log = listen('emissions:delivery:dead');
    handlers.fails = ({ context: { signal } }) =>
      new Promise((resolve) => signal.addEventListener('abort', resolve));
    await emissions.run(() => void emissions.emit('slow', 1));
    await until(() => log.all.length === 1);
    expect(log.all[0]!.message).toMatchObject({ error: { name: 'DeliveryTimeoutError' } });
    expect(callsOf('slow')[0]!.context.signal.aborted).toBe(true);
  });

  it('give what their handler emits their tenant, correlation and cause', async () => {
    handlers.fails = () => undefined;
    const before = callsOf('plain').length;
    let cause: Emission | undefined;
    await emissions.run(
      () => {
        cause = emissions.emit('cause', { n: 7 }, { orgId: 'org-7' });
      },
      { correlationId: 'corr-7' },
    );
    await until(() => callsOf('plain').length === before + 1);
    expect(callsOf('plain').at(-1)!.emission).toMatchObject({
      name: 'plain.effect',
      tenant: 'org-7',
      correlationId: 'corr-7',
      causationId: cause!.id,
      depth: 1,
    });
  });

  it('wait for their delay, and are not called when they have expired', async () => {
    using log = listen('emissions:emission:expired', 'emissions:delivery:completed');
    const before = callsOf('plain').length;
    const started = performance.now();
    await emissions.run(() => {
      emissions.emit('plain.later', 1, {}, { delayMs: 200 });
      emissions.emit('plain.expired', 1, {}, { delayMs: 60, ttlMs: 20 });
    });
    const done = () =>
      log
        .of('emissions:delivery:completed')
        .filter(({ emission }) => ['plain.later', 'plain.expired'].includes(emission));
    await until(() => done().length === 2);
    expect(performance.now() - started).toBeGreaterThan(195);
    expect(log.of('emissions:emission:expired')).toEqual([
      { emission: 'plain.expired', count: 1, consumer: 'plain' },
    ]);
    expect(
      callsOf('plain')
        .slice(before)
        .map(({ emission }) => emission.name),
    ).toEqual(['plain.later']);
  });
});
