import { AsyncLocalStorage } from 'node:async_hooks';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  DeliveryTimeoutError,
  EmissionsModule,
  IGNORED,
  type EmissionHandler,
  type HandlerContext,
  type HandlerOptions,
} from 'nestjs-emissions';
import { RecordingAdapter } from '../support/adapters.js';
import { start, type RunningApp } from '../support/app.js';
import { emit, emitAndSettle } from '../support/emit.js';
import { captureLogs } from '../support/logs.js';
import { listen } from '../support/signals.js';
import { fakeTime, pass } from '../support/time.js';
import { keepBusy, nextRound, rounds } from '../support/until.js';

const SIGNALS = [
  'emissions:handler:succeeded',
  'emissions:handler:failed',
  'emissions:handler:ignored',
  'emissions:handler:retried',
] as const;

let running: RunningApp;
let recorder: RecordingAdapter;
beforeAll(async () => {
  running = await start({ imports: [EmissionsModule.forRoot({ adapters: [RecordingAdapter] })] });
  recorder = running.app.get(RecordingAdapter);
});
afterAll(() => running.close());
afterEach(async () => {
  await running.emissions.settled();
  recorder.batches.length = 0;
});

/** Subscribes until the end of the test. */
function handle(method: EmissionHandler<any>, options: HandlerOptions = {}): Disposable {
  const subscription = running.emissions.subscribe('a', method, { id: 'handler', ...options });
  return { [Symbol.dispose]: () => subscription.unsubscribe() };
}

describe('What a handler does', () => {
  it.each([undefined, null, false, 0, 'done', { any: 'thing' }, Symbol('other')])(
    'counts as success when it returns %p',
    async (result) => {
      using log = listen(...SIGNALS);
      using _ = handle(() => result);
      await emitAndSettle(running.emissions, 'a');

      expect(log.all).toEqual([
        {
          channel: 'emissions:handler:succeeded',
          message: {
            handler: 'handler',
            emission: 'a',
            count: 1,
            attempt: 1,
            durationMs: expect.any(Number),
          },
        },
      ]);
    },
  );

  it('is timed while somebody listens, also when it has always returned at once', async () => {
    using logs = captureLogs();
    const method = (payload: unknown) => {
      keepBusy(2);
      if (payload === 'fails') throw new Error('no');
    };
    using _ = handle(method);
    await emitAndSettle(running.emissions, 'a');
    using log = listen(...SIGNALS);
    for (const payload of [1, 2, 'fails', 3])
      await emitAndSettle(running.emissions, ['a', payload]);

    expect(log.all.map(({ channel }) => channel.split(':').at(-1))).toEqual([
      'succeeded',
      'succeeded',
      'failed',
      'succeeded',
    ]);
    const times = log.all.map(({ message }) => (message as { durationMs: number }).durationMs);
    expect(times.every((durationMs) => durationMs >= 1.9)).toBe(true);
    expect(logs.of('error')).toHaveLength(1);
  });

  it('is not asked for more than its then when it returns what can be waited for', async () => {
    using logs = captureLogs();
    const asked = new Set<PropertyKey>();
    const shown = (value: object): unknown =>
      new Proxy(value, {
        get: (of, key) => {
          asked.add(key);
          if (key !== 'then') throw new Error(`There is no ${String(key)} here.`);
          return (of as { then: unknown }).then;
        },
      });
    // oxlint-disable-next-line unicorn/no-thenable -- it is what is tested
    using _ = handle(() => shown({ then: (resolve: () => void) => resolve() }));
    await emitAndSettle(running.emissions, 'a');

    expect([...asked]).toEqual(['then']);
    expect(logs.of('error')).toEqual([]);
  });

  it('counts as success when its promise resolves, and not before', async () => {
    using log = listen(...SIGNALS);
    let finish: () => void = () => {};
    using _ = handle(() => new Promise<void>((resolve) => (finish = resolve)));
    await emit(running.emissions, 'a');
    await rounds();
    expect(log.all).toEqual([]);
    finish();
    await running.emissions.settled();

    expect(log.all).toHaveLength(1);
  });

  it.each([
    ['at once', (resolve: () => void) => resolve()],
    ['never', () => {}],
  ])('counts as success once, also when its promise would call back %s', async (_title, then) => {
    using log = listen(...SIGNALS);
    // oxlint-disable-next-line unicorn/no-thenable -- as some libraries give their promises
    using _ = handle(() => Object.assign(Promise.resolve(), { then }));
    await emitAndSettle(running.emissions, 'a');

    expect(log.all.map(({ channel }) => channel)).toEqual(['emissions:handler:succeeded']);
  });

  it.each([
    ['returned', () => IGNORED],
    ['resolved with', () => Promise.resolve(IGNORED)],
  ])('counts as ignored when IGNORED is %s: signalled, not logged', async (_title, method) => {
    using logs = captureLogs();
    using log = listen(...SIGNALS);
    using _ = handle(method);
    await emitAndSettle(running.emissions, 'a');

    expect(log.all).toEqual([
      {
        channel: 'emissions:handler:ignored',
        message: {
          handler: 'handler',
          emission: 'a',
          count: 1,
          attempt: 1,
          durationMs: expect.any(Number),
        },
      },
    ]);
    expect(logs.entries).toEqual([]);
  });

  it.each([
    ['throws', () => failWith(new Error('no'))],
    ['rejects', () => Promise.reject(new Error('no'))],
  ])(
    'counts as failed when it %s: signalled with the error, and logged with its stack',
    async (_title, method) => {
      using logs = captureLogs();
      using log = listen(...SIGNALS);
      using _ = handle(method);
      await emitAndSettle(running.emissions, 'a', 'a');

      expect(log.all).toHaveLength(2);
      expect(log.all[0]).toEqual({
        channel: 'emissions:handler:failed',
        message: {
          handler: 'handler',
          phase: 'deliver',
          emission: 'a',
          count: 1,
          attempt: 1,
          durationMs: expect.any(Number),
          error: expect.objectContaining({ message: 'no' }),
        },
      });
      expect(logs.entries[0]).toEqual({
        level: 'error',
        message: expect.stringMatching(/handler handler failed on an emission \('a'\).*: no/),
        rest: [expect.stringContaining('handler.invoker.spec'), 'Emissions'],
      });
    },
  );

  it('harms no other handler: with one of three failing, the other two are called', async () => {
    using log = listen(...SIGNALS);
    using _1 = handle(() => {}, { id: 'one' });
    using _2 = handle(() => failWith(new Error('no')), { id: 'two' });
    using _3 = handle(() => {}, { id: 'three' });
    await emitAndSettle(running.emissions, 'a');

    expect(log.of('emissions:handler:succeeded').map(({ handler }) => handler)).toEqual([
      'one',
      'three',
    ]);
    expect(log.of('emissions:handler:failed').map(({ handler }) => handler)).toEqual(['two']);
    expect(recorder.names).toEqual(['a']);
  });
});

describe('A handler', () => {
  it('runs outside the async context of whoever emitted', async () => {
    const storage = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    using _ = handle(async () => {
      seen.push(storage.getStore());
      await nextRound();
      seen.push(storage.getStore());
    });
    await storage.run('request', () => emitAndSettle(running.emissions, 'a'));

    expect(seen).toEqual([undefined, undefined]);
  });

  it('works on 16 emissions at once by default, and on as many as concurrency says', async () => {
    const most = { default: 0, two: 0 };
    const busy = { default: 0, two: 0 };
    const work = (who: 'default' | 'two') => async () => {
      most[who] = Math.max(most[who], ++busy[who]);
      await rounds(3);
      busy[who]--;
    };
    using _1 = handle(work('default'), { id: 'default' });
    using _2 = handle(work('two'), { id: 'two', concurrency: 2 });
    await emitAndSettle(running.emissions, ...Array.from({ length: 40 }, () => 'a'));

    expect(most).toEqual({ default: 16, two: 2 });
  });

  it('that is slow delays nobody else', async () => {
    let finish: () => void = () => {};
    const quick: string[] = [];
    using _1 = handle(() => new Promise<void>((resolve) => (finish = resolve)), { id: 'slow' });
    using _2 = handle(() => void quick.push('called'), { id: 'quick' });
    await emit(running.emissions, 'a');
    await rounds();
    expect(quick).toEqual(['called']);
    expect(recorder.names).toEqual(['a']);
    finish();
    await running.emissions.settled();
  });

  it('keeps the order of one key, however many it works on at once', async () => {
    const order: string[] = [];
    using _ = handle(async (payload) => {
      await rounds(5 - Number(String(payload).slice(1)));
      order.push(payload);
    });
    const keyed = (payload: string, key: string): [string, unknown, undefined, { key: string }] => [
      'a',
      payload,
      undefined,
      { key },
    ];
    await emitAndSettle(
      running.emissions,
      keyed('x1', 'x'),
      keyed('x2', 'x'),
      keyed('x3', 'x'),
      keyed('y3', 'y'),
    );

    expect(order.filter((each) => each.startsWith('x'))).toEqual(['x1', 'x2', 'x3']);
    expect(order.indexOf('y3')).toBeLessThan(3);
  });

  it('is tried again as retry says, and is told which attempt it is', async () => {
    using log = listen(...SIGNALS);
    const attempts: number[] = [];
    using _ = handle(
      (_payload: unknown, _emission: unknown, { attempt }: HandlerContext) => {
        attempts.push(attempt);
        if (attempt < 3) throw new Error('not yet');
      },
      { retry: { attempts: 5, backoffMs: 0 } },
    );
    await emitAndSettle(running.emissions, 'a');

    expect(attempts).toEqual([1, 2, 3]);
    expect(log.all.map(({ channel, message }) => [channel, message.attempt])).toEqual([
      ['emissions:handler:retried', 1],
      ['emissions:handler:retried', 2],
      ['emissions:handler:succeeded', 3],
    ]);
  });
});

describe('A handler that exceeds timeoutMs', () => {
  fakeTime();

  it('fails, its signal is aborted, and what it does later counts for nothing', async () => {
    using log = listen(...SIGNALS);
    let context: HandlerContext | undefined;
    const late = Promise.withResolvers<void>();
    using _ = handle(
      async (_payload: unknown, _emission: unknown, given: HandlerContext) => {
        context = given;
        await late.promise;
        running.emissions.emit('too.late');
      },
      { timeoutMs: 50 },
    );
    await emit(running.emissions, 'a');
    await pass(50);
    expect(log.all.map(({ channel }) => channel)).toEqual(['emissions:handler:failed']);
    expect(log.of('emissions:handler:failed')[0]!.error).toBeInstanceOf(DeliveryTimeoutError);
    expect(context!.signal.reason).toBeInstanceOf(DeliveryTimeoutError);
    late.resolve();
    await rounds();
    await running.emissions.settled();

    expect(log.all).toHaveLength(1);
    expect(recorder.names).toEqual(['a']);
  });

  it('leaves the signals of calls alone that were over before', async () => {
    const contexts: HandlerContext[] = [];
    using _ = handle(
      (payload: unknown, _emission: unknown, given: HandlerContext) => {
        contexts.push(given);
        return payload === 'wait' ? new Promise(() => {}) : undefined;
      },
      { timeoutMs: 50 },
    );
    for (const payload of ['first', 'second', 'wait']) {
      await emit(running.emissions, ['a', payload]);
      await rounds();
    }
    await pass(50);

    const [first, second, waited] = contexts as [HandlerContext, HandlerContext, HandlerContext];
    expect(waited.signal.aborted).toBe(true);
    expect([first.signal.aborted, second.signal.aborted]).toEqual([false, false]);
    expect([first.attempt, second.handlerId]).toEqual([1, 'handler']);
  });

  it.each(['before it waits', 'while it waits'])(
    'is given up by the signal it asked for %s, when it has always returned at once, and by no other one',
    async (when) => {
      using logs = captureLogs();
      const contexts: HandlerContext[] = [];
      const asked: AbortSignal[] = [];
      using _ = handle(
        (payload: unknown, _emission: unknown, given: HandlerContext) => {
          const [kept] = contexts.push(given) > 1 ? contexts : [];
          if (payload !== 'wait') return undefined;
          const ask = () => void asked.push(given.signal, kept!.signal, given.signal);
          if (when === 'before it waits') ask();
          return nextRound()
            .then(ask, ask)
            .then(() => new Promise(() => {}));
        },
        { timeoutMs: 50 },
      );
      for (const payload of ['first', 'second', 'wait']) {
        await emit(running.emissions, ['a', payload]);
        await rounds();
      }
      await pass(50);

      const [own, kept] = asked as [AbortSignal, AbortSignal];
      expect(own.reason).toBeInstanceOf(DeliveryTimeoutError);
      expect(kept.aborted).toBe(false);
      expect(asked.every((each, i) => each === (i % 3 === 1 ? kept : own))).toBe(true);
      expect(logs.of('error')).toEqual([
        expect.stringMatching(/^The handler handler failed on an emission \('a'\), attempt 1: /),
      ]);
    },
  );
});

describe('The context of a call', () => {
  it('has one signal, which is that of no other call', async () => {
    const contexts: HandlerContext[] = [];
    const asked: AbortSignal[] = [];
    using _ = handle((payload: unknown, _emission: unknown, given: HandlerContext) => {
      contexts.push(given);
      if (payload === 'asks') asked.push(given.signal);
    });
    for (const payload of ['first', 'asks', 'asks', 'keeps'])
      await emitAndSettle(running.emissions, ['a', payload]);

    const signals = contexts.map(({ signal }) => signal);
    expect(new Set(signals).size).toBe(4);
    expect(contexts.map(({ signal }) => signal)).toEqual(signals);
    expect(asked[0]).toBe(signals[1]);
    expect(asked[1]).toBe(signals[2]);
  });

  it('of a handler that has always returned at once, and fails, is not that of the retry', async () => {
    using logs = captureLogs();
    const calls: [number, AbortSignal][] = [];
    const method = (payload: unknown, _emission: unknown, { attempt, signal }: HandlerContext) => {
      if (payload !== 'fails') return;
      calls.push([attempt, signal]);
      throw new Error('no');
    };
    using _ = handle(method, { retry: { attempts: 2, backoffMs: 1 } });
    for (const payload of [undefined, 'fails'])
      await emitAndSettle(running.emissions, ['a', payload]);

    expect(calls.map(([attempt]) => attempt)).toEqual([1, 2]);
    expect(calls[0]![1]).not.toBe(calls[1]![1]);
    expect(logs.of('error')).toEqual([
      "The handler handler failed on an emission ('a'), attempt 2: no",
    ]);
  });

  it.each<[string, HandlerOptions]>([
    ['an ordinary handler', {}],
    ['a critical one', { critical: true }],
  ])(
    'of %s shows nothing of the inside, and can be frozen, copied and emitted',
    async (_, options) => {
      const shown: unknown[] = [];
      using _handler = handle((_payload: unknown, _emission: unknown, context: HandlerContext) => {
        shown.push(Object.freeze(context), { ...context }, structuredClone(context));
        running.emissions.emit('with.context', { context });
        return Promise.resolve();
      }, options);
      await emitAndSettle(running.emissions, 'a');

      expect(shown.map((each) => JSON.stringify(each))).toEqual(['{}', '{}', '{}']);
      expect(recorder.names.toSorted()).toEqual(['a', 'with.context']);
    },
  );

  it.each<[string, HandlerOptions]>([
    ['an ordinary handler', {}],
    ['a critical one', { critical: true }],
  ])('of %s leads nowhere, and harms nobody whatever is done to it', async (_, options) => {
    using log = listen(...SIGNALS);
    const done: unknown[] = [];
    const no = { get: () => failWith(new Error('no')) };
    using _handler = handle(
      async (_payload: unknown, _emission: unknown, context: HandlerContext) => {
        const prototype = Object.getPrototypeOf(context) as object;
        done.push(context.constructor, Reflect.defineProperty(prototype, 'handlerId', no));
        Object.defineProperties(context, { handlerId: no, attempt: no, signal: no });
        await nextRound();
        Object.setPrototypeOf(context, null);
      },
      options,
    );
    await emitAndSettle(running.emissions, 'a');

    expect(done).toEqual([Object, false]);
    expect(log.all).toEqual([
      {
        channel: 'emissions:handler:succeeded',
        message: expect.objectContaining({ handler: 'handler', attempt: 1 }),
      },
    ]);
    expect((log.all[0]!.message as { durationMs: number }).durationMs).toBeGreaterThan(0);
  });
});

function failWith(error: Error): never {
  throw error;
}
