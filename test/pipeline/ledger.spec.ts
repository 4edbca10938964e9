import { beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import {
  ConfigurationError,
  Emissions,
  EmissionsModule,
  IGNORED,
  OnEmission,
  PartialDeliveryError,
  type ConsumerStatus,
  type Emission,
  type EmissionAdapter,
  type EmissionsOptions,
  type HandlerOptions,
} from 'nestjs-emissions';
import { HeldAdapter, RecordingAdapter } from '../support/adapters.js';
import { start, type RunningApp } from '../support/app.js';
import { silence } from '../support/logs.js';
import { fakeTime, pass } from '../support/time.js';
import { rounds } from '../support/until.js';

beforeEach(silence);

/** An application that keeps a ledger. */
function keeping(
  adapters: Record<string, EmissionAdapter> = {},
  options: EmissionsOptions = { ledger: {} },
): Promise<RunningApp> {
  return start({
    imports: [
      EmissionsModule.forRoot({
        ...options,
        adapters: Object.entries(adapters).map(([name, useValue]) => ({ name, useValue })),
      }),
    ],
  });
}

async function emit({ emissions }: RunningApp, name = 'a', payload?: unknown): Promise<Emission> {
  return emissions.run(() => emissions.emit(name, payload)!);
}

/** The states of an emission by consumer. */
function states({ emissions }: RunningApp, { id }: Emission): Record<string, string> {
  const { consumers } = emissions.status(id)!;
  return Object.fromEntries(consumers.map(({ name, state }) => [name, state]));
}

function only({ emissions }: RunningApp, { id }: Emission): ConsumerStatus {
  const { consumers } = emissions.status(id)!;
  expect(consumers).toHaveLength(1);
  return consumers[0]!;
}

describe('The status of an emission', () => {
  it('is noted for a handler that has always returned at once, too', async () => {
    await using app = await keeping();
    const end = (payload: unknown) => (payload === 'not mine' ? IGNORED : undefined);
    app.emissions.subscribe('a', end, { id: 'x' });
    const emitted: Emission[] = [];
    for (const payload of [1, 2, 'not mine', 4]) {
      // oxlint-disable-next-line no-await-in-loop -- one after another
      emitted.push(await emit(app, 'a', payload));
      // oxlint-disable-next-line no-await-in-loop
      await app.emissions.settled();
    }
    expect(emitted.map((each) => only(app, each).state)).toEqual([
      'completed',
      'completed',
      'ignored',
      'completed',
    ]);
  });

  it('shows each consumer that takes its name, pending until it is done', async () => {
    const slow = new HeldAdapter();
    await using app = await keeping({ slow, quick: new RecordingAdapter() });
    const emission = await emit(app);
    expect(states(app, emission)).toEqual({ slow: 'pending', quick: 'pending' });
    await rounds();
    expect(states(app, emission)).toEqual({ slow: 'pending', quick: 'completed' });
    expect(app.emissions.status(emission.id)).toMatchObject({ emission, pending: 1 });
    slow.release();
    await app.emissions.settled();

    expect(states(app, emission)).toEqual({ slow: 'completed', quick: 'completed' });
    expect(app.emissions.status(emission.id)!.pending).toBe(0);
    expect(app.emissions.find(emission.id)).toBe(emission);
  });

  it.each([
    ['completed', () => undefined],
    ['ignored', () => IGNORED],
    ['completed', () => Promise.resolve()],
    ['ignored', () => Promise.resolve(IGNORED)],
  ])('of a handler is %s as it returned', async (state, method) => {
    await using app = await keeping();
    app.emissions.subscribe('a', method, { id: 'handler' });
    const emission = await emit(app);
    await app.emissions.settled();

    expect(only(app, emission)).toEqual({
      kind: 'handler',
      name: 'handler',
      state,
      attempts: 1,
      startedAt: expect.any(Number),
      endedAt: expect.any(Number),
    });
  });

  it('is skipped where a consumer is not interested, and failed where it cannot tell', async () => {
    await using app = await keeping();
    const subscribe = (id: string, interested: () => boolean): void =>
      void app.emissions.subscribe('a', () => {}, { id, interested });
    subscribe('not', () => false);
    subscribe('yes', () => true);
    subscribe('broken', () => {
      throw new Error('cannot tell');
    });
    const emission = await emit(app);
    await app.emissions.settled();

    expect(states(app, emission)).toEqual({ not: 'skipped', yes: 'completed', broken: 'failed' });
  });

  it('is skipped by a handler that takes one emission in its life for all but that', async () => {
    await using app = await keeping();
    app.emissions.subscribe('a', () => {}, { id: 'once', once: true });
    const [first, second] = await app.emissions.run(() => [
      app.emissions.emit('a')!,
      app.emissions.emit('a')!,
    ]);
    await app.emissions.settled();

    expect([states(app, first!), states(app, second!)]).toEqual([
      { once: 'completed' },
      { once: 'skipped' },
    ]);
  });

  it.each<[string, HandlerOptions]>([
    ['at once', {}],
    ['in a time limit', { timeoutMs: 1_000 }],
  ])(
    'counts attempts, keeps the last error and is failed when it is given up (%s)',
    async (_, options) => {
      await using app = await keeping();
      let calls = 0;
      app.emissions.subscribe(
        'a',
        () => {
          throw new Error(`no ${++calls}`);
        },
        { id: 'failing', retry: { attempts: 3, backoffMs: 0 }, ...options },
      );
      const emission = await emit(app);
      await app.emissions.settled();

      expect(only(app, emission)).toMatchObject({
        state: 'failed',
        attempts: 3,
        error: new Error('no 3'),
      });
    },
  );

  it('tells what arrived of a batch from what did not', async () => {
    const partly = {
      deliver: (batch: readonly Emission[]) => {
        throw new PartialDeliveryError(batch.slice(1));
      },
    };
    await using app = await keeping({ partly });
    const [first, second] = await app.emissions.run(() => [
      app.emissions.emit('a')!,
      app.emissions.emit('a')!,
    ]);
    await app.emissions.settled();

    expect(states(app, first!)).toEqual({ partly: 'completed' });
    expect(states(app, second!)).toEqual({ partly: 'failed' });
  });

  it('no longer counts a consumer that was removed while it was pending, and keeps what it had done', async () => {
    const held = new HeldAdapter();
    await using app = await keeping({ held });
    const done = await emit(app);
    await rounds();
    held.release();
    await app.emissions.settled();
    const emission = await emit(app);
    const removed = app.emissions.removeAdapter('held');

    expect(app.emissions.status(emission.id)).toMatchObject({ pending: 0, consumers: [] });
    expect(states(app, done)).toEqual({ held: 'completed' });
    held.release();
    await removed;
  });

  it('knows nothing of a commit that was refused, whether at once or after it had waited', async () => {
    await using app = await start({
      imports: [
        EmissionsModule.forRoot({
          ledger: {},
          adapters: [
            {
              name: 'stuck',
              useValue: { deliver: () => new Promise(() => {}) },
              consumer: { capacity: 1 },
            },
          ],
          pipeline: { waitTimeoutMs: 1, drainTimeoutMs: 0 },
        }),
      ],
    });
    const kept = await emit(app);
    const refused: (Emission | undefined)[] = [];
    const commit = (count: number): Promise<void> =>
      app.emissions.run(() => {
        for (let i = 0; i < count; i++) refused.push(app.emissions.emit('a'));
      });
    await expect(commit(2)).rejects.toThrow('more than ever fit');
    await expect(commit(1)).rejects.toThrow('no room within 1 ms');

    expect(states(app, kept)).toEqual({ stuck: 'pending' });
    expect(refused.map((each) => app.emissions.status(each!.id))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('is skipped by such a handler for what had waited for somebody else when it had its one', async () => {
    const held = new HeldAdapter();
    await using app = await start({
      imports: [
        EmissionsModule.forRoot({
          ledger: {},
          adapters: [{ name: 'held', useValue: held, consumer: { capacity: 1 } }],
        }),
      ],
    });
    await emit(app, 'other');
    app.emissions.subscribe('a', () => {}, { id: 'once', once: true });
    const commits = [emit(app), emit(app)];
    for (let i = 0; i < 3; i++) {
      await rounds();
      held.release();
    }
    const [first, second] = await Promise.all(commits);
    await app.emissions.settled();

    expect([states(app, first!).once, states(app, second!).once]).toEqual(['completed', 'skipped']);
  });

  it('keeps the error of an earlier attempt when a later one succeeded', async () => {
    await using app = await keeping();
    app.emissions.subscribe(
      'a',
      (_payload, _emission, { attempt }) => {
        if (attempt === 1) throw new Error('once');
      },
      { id: 'second try', retry: { attempts: 2, backoffMs: 0 } },
    );
    const emission = await emit(app);
    await app.emissions.settled();

    expect(only(app, emission)).toMatchObject({
      state: 'completed',
      attempts: 2,
      error: new Error('once'),
    });
  });

  it('is known also for what is committed while the application starts', async () => {
    @Injectable()
    class Early implements OnModuleInit {
      emission: Emission | undefined;

      constructor(private readonly emissions: Emissions) {}

      async onModuleInit(): Promise<void> {
        this.emission = await this.emissions.run(() => this.emissions.emit('early')!);
      }

      @OnEmission('early')
      handle(): void {}
    }
    await using app = await start({
      imports: [EmissionsModule.forRoot({ ledger: {} })],
      providers: [Early],
    });
    await app.emissions.settled();

    expect(states(app, app.app.get(Early).emission!)).toEqual({ 'Early.handle': 'completed' });
  });

  it('of an unknown id is undefined, and harms nothing', async () => {
    await using app = await keeping();

    expect(app.emissions.status('unknown')).toBeUndefined();
    expect(app.emissions.find('unknown')).toBeUndefined();
  });
});

describe('With time, the status of an emission', () => {
  fakeTime();

  it('is expired past its ttl, and dropped where a full queue shed it', async () => {
    const held = new HeldAdapter();
    const small = new HeldAdapter();
    await using app = await start({
      imports: [
        EmissionsModule.forRoot({
          ledger: {},
          adapters: [
            { name: 'held', useValue: held, consumer: { batchSize: 1 } },
            {
              name: 'small',
              useValue: small,
              consumer: { capacity: 1, overflow: 'drop-newest', batchSize: 1 },
            },
          ],
        }),
      ],
    });
    await emit(app);
    await rounds();
    const brief = await app.emissions.run(() =>
      app.emissions.emit('a', undefined, undefined, { ttlMs: 10 })!,
    );
    await pass(20);
    held.release();
    await rounds();

    expect(states(app, brief)).toEqual({ held: 'expired', small: 'dropped' });
    small.release();
  });

  it('keeps its final state when a call that was given up ends after all', async () => {
    const late = Promise.withResolvers<void>();
    await using app = await keeping();
    app.emissions.subscribe('a', () => late.promise, { id: 'late', timeoutMs: 10 });
    const emission = await emit(app);
    await rounds();
    await pass(20);
    expect(states(app, emission)).toEqual({ late: 'failed' });
    late.resolve();
    await rounds();

    expect(states(app, emission)).toEqual({ late: 'failed' });
  });

  it('is forgotten when it is older than ttlMs, pending or not', async () => {
    await using app = await keeping({}, { ledger: { ttlMs: 100 } });
    const emission = await emit(app);
    await pass(50);
    expect(app.emissions.find(emission.id)).toBe(emission);
    await pass(60);

    expect(app.emissions.find(emission.id)).toBeUndefined();
  });
});

describe('The ledger', () => {
  it('remembers as many as its capacity, the newest', async () => {
    await using app = await keeping({}, { ledger: { capacity: 2 } });
    const all = [await emit(app), await emit(app), await emit(app)];

    expect(all.map(({ id }) => app.emissions.find(id))).toEqual([undefined, all[1], all[2]]);
    expect(all.map(({ id }) => app.emissions.find(id))).toEqual([undefined, all[1], all[2]]);
  });

  it('forgets nothing for a commit that is refused', async () => {
    await using app = await start({
      imports: [
        EmissionsModule.forRoot({
          ledger: { capacity: 1 },
          adapters: [
            {
              name: 'stuck',
              useValue: { deliver: () => new Promise(() => {}) },
              consumer: { capacity: 1, overflow: 'reject' },
            },
          ],
          pipeline: { drainTimeoutMs: 0 },
        }),
      ],
    });
    const kept = await emit(app);
    await expect(emit(app)).rejects.toThrow('is full');

    expect(app.emissions.find(kept.id)).toBe(kept);
  });

  it('is off unless it is asked for: status and find say how to turn it on', async () => {
    await using app = await keeping({}, {});
    const refusal = new ConfigurationError(
      `status(id) needs the ledger, which is off: write EmissionsModule.forRoot({ ledger: {} }) to have what becomes of ` +
        `emissions remembered.`,
    );

    expect(() => app.emissions.status('x')).toThrow(refusal);
    expect(() => app.emissions.find('x')).toThrow(ConfigurationError);
  });

  it.each([
    [{ ledger: { capacity: 0 } }, 'ledger.capacity'],
    [{ ledger: { size: 3 } }, 'ledger'],
    [{ ledger: true }, 'ledger'],
  ])('refuses %j', async (options, names) => {
    await expect(keeping({}, options as never)).rejects.toThrow(names);
  });
});
