import { AsyncLocalStorage, AsyncResource, createHook } from 'node:async_hooks';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  EmissionsModule,
  IGNORED,
  OnEmission,
  type Emission,
  type EmissionHandler,
  type HandlerContext,
} from 'nestjs-emissions';
import { BufferContext } from '../../lib/buffer/buffer.context.js';
import { HandlingScope } from '../../lib/buffer/handling.scope.js';
import type { CallRules } from '../../lib/handlers/handler.invoker.js';
import { RecordingAdapter } from '../support/adapters.js';
import { start, type RunningApp } from '../support/app.js';
import { emitAndSettle } from '../support/emit.js';
import { silence } from '../support/logs.js';
import { listen } from '../support/signals.js';
import { nextRound, rounds } from '../support/until.js';

let running: RunningApp;
let recorder: RecordingAdapter;

beforeEach(silence);
beforeEach(async () => {
  running = await start({
    imports: [EmissionsModule.forRoot({ adapters: [RecordingAdapter] })],
    providers: [Methods],
  });
  recorder = running.app.get(RecordingAdapter);
  // The methods are known to return at once from now on, and share a unit.
  await emitAndSettle(running.emissions, 'a');
  recorder.batches.length = 0;
});
afterEach(async () => {
  await running.emissions.settled();
  await running.close();
});

/** Handlers of 'a', in this order. */
class Methods {
  @OnEmission('a')
  first(..._given: any[]): unknown {
    return undefined;
  }

  @OnEmission('a')
  second(..._given: any[]): unknown {
    return undefined;
  }

  @OnEmission('a')
  third(..._given: any[]): unknown {
    return undefined;
  }

  @OnEmission('a')
  fourth(..._given: any[]): unknown {
    return undefined;
  }
}

/** Subscribes handlers of 'a', in this order. */
function subscribe(methods: readonly EmissionHandler<any>[]): void {
  for (const [i, method] of methods.entries())
    running.emissions.subscribe('a', method, { id: `handler ${i + 1}` });
}

/** Puts these in the place of the methods. */
function replace(methods: readonly EmissionHandler<any>[]): void {
  const names = ['first', 'second', 'third', 'fourth'] as const;
  for (const [i, method] of methods.entries()) running.app.get(Methods)[names[i]!] = method;
}

function emit(name: string): void {
  running.emissions.emit(name);
}

describe.each([
  ['Functions', subscribe],
  ['Methods', replace],
])('%s that handle one emission', (_kind, handlers) => {
  const handle = (...methods: EmissionHandler<any>[]): void => handlers(methods);

  it('have buffers of their own: one that fails or ignores discards what it emitted, and nothing else', async () => {
    handle(
      () => emit('of.the.first'),
      () => {
        emit('of.one.that.fails');
        throw new Error('no');
      },
      () => {
        emit('of.one.that.ignores');
        return IGNORED;
      },
      () => emit('of.the.last'),
    );
    await emitAndSettle(running.emissions, 'a');

    expect(recorder.names).toEqual(['a', 'of.the.first', 'of.the.last']);
  });

  it('do not see what another one put into its async context', async () => {
    const storage = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    handle(
      () => {
        seen.push(storage.getStore());
        storage.enterWith('of.the.first');
      },
      () => void seen.push(storage.getStore()),
      async () => {
        storage.enterWith('of the third');
        await nextRound();
        seen.push(storage.getStore());
      },
      () => void seen.push(storage.getStore()),
    );
    await emitAndSettle(running.emissions, 'a');
    await emitAndSettle(running.emissions, 'a');

    expect(seen).toEqual([
      ...[undefined, undefined, undefined, 'of the third'],
      ...[undefined, undefined, undefined, 'of the third'],
    ]);
  });

  it.each([
    ['succeeded', (): unknown => undefined],
    ['ignored it', (): unknown => IGNORED],
    [
      'failed',
      (): unknown => {
        throw new Error('no');
      },
    ],
  ])(
    'that returned at once left nothing open: what it emits later is dropped, also once another one %s',
    async (_, ends) => {
      using log = listen('emissions:emission:dropped');
      const later: Promise<void>[] = [];
      const emitLater = (): void => {
        later.push(nextRound().then(() => emit('late')));
      };
      handle(
        emitLater,
        () => {
          emitLater();
          return ends();
        },
        () => emit('of.the.last'),
      );
      await emitAndSettle(running.emissions, 'a');
      await Promise.all(later);
      await running.emissions.settled();

      expect(recorder.names).toEqual(['a', 'of.the.last']);
      expect(log.all.map(({ message }) => message)).toEqual(
        Array.from({ length: 2 }, () =>
          expect.objectContaining({ reason: 'buffer-closed', emission: 'late' }),
        ),
      );
    },
  );

  it.each([
    ['throw', (): unknown => failWith(new Error('no'))],
    [
      'return what throws when it is asked whether it is a promise',
      (): unknown => new Proxy({}, { has: () => failWith(new Error('no')) }),
    ],
  ])(
    'that %s leave nothing open, whether others follow them or they follow others',
    async (_, fails) => {
      using log = listen('emissions:emission:dropped', 'emissions:handler:failed');
      const later: Promise<void>[] = [];
      const failing = (): unknown => {
        emit('of.one.that.fails');
        later.push(nextRound().then(() => emit('late')));
        return fails();
      };
      handle(failing, () => emit('of.one.that.succeeds'), failing);
      await emitAndSettle(running.emissions, 'a');
      await Promise.all(later);
      await running.emissions.settled();

      expect(recorder.names).toEqual(['a', 'of.one.that.succeeds']);
      expect(log.of('emissions:handler:failed')).toHaveLength(2);
      expect(log.of('emissions:emission:dropped').map(({ reason }) => reason)).toEqual([
        'buffer-closed',
        'buffer-closed',
      ]);
    },
  );

  it('say one by one that they have succeeded', async () => {
    using log = listen('emissions:handler:succeeded');
    handle(
      () => {},
      () => {},
      () => {},
    );
    await emitAndSettle(running.emissions, 'a');
    const said = log.of('emissions:handler:succeeded').map(({ handler }) => handler);
    const all = running.emissions.describe().handlers.map(({ id }) => id);

    expect(said).toEqual(all);
  });

  it('that are called again take no buffer from what another one left behind', async () => {
    const { emissions } = running;
    const begun = Promise.withResolvers<void>();
    const held = Promise.withResolvers<void>();
    let left: Promise<void> | undefined;
    const isLast = ({ payload }: Emission): boolean => payload === 'last';
    const promptly: EmissionHandler = (_, emission, { attempt }) => {
      if (isLast(emission) && attempt === 1) throw new Error('no');
      if (isLast(emission)) emit('of.another.attempt');
    };
    emissions.subscribe('a', promptly, {
      id: 'is called again',
      retry: { attempts: 2, backoffMs: 1 },
    });
    handle((_, emission) => {
      if (!isLast(emission)) return;
      left = (async () => {
        await nextRound();
        emissions.start();
        begun.resolve();
        await held.promise;
        emit('of.what.was.left');
        await emissions.commit();
      })();
    });
    await emitAndSettle(emissions, 'a');
    await emissions.run(() => emissions.emit('a', 'last'));
    await begun.promise;
    await emissions.settled();
    held.resolve();
    await left;
    await emissions.settled();

    expect(recorder.names).toEqual(['a', 'a', 'of.another.attempt', 'of.what.was.left']);
  });

  it('signal no buffer unless they need one', async () => {
    using log = listen(
      'emissions:buffer:started',
      'emissions:buffer:committed',
      'emissions:buffer:terminated',
    );
    handle(
      () => {},
      () => {
        throw new Error('no');
      },
      () => IGNORED,
      () => emit('b'),
    );
    await emitAndSettle(running.emissions, 'a');

    expect(log.all.map(({ channel, message }) => [channel, message.count])).toEqual([
      ['emissions:buffer:started', 1],
      ['emissions:buffer:committed', 1],
      ['emissions:buffer:started', 1],
      ['emissions:buffer:committed', 1],
    ]);
  });

  it('that wait keep their buffer to themselves while others begin and end', async () => {
    const held = Promise.withResolvers<void>();
    handle(
      async () => {
        emit('early.of.one.that.fails');
        await held.promise;
        emit('late.of.one.that.fails');
        throw new Error('no');
      },
      () => emit('of.one.that.returns'),
      async () => {
        emit('early.of.one.that.waits');
        await held.promise;
        emit('late.of.one.that.waits');
      },
    );
    await running.emissions.run(() => emit('a'));
    await rounds();
    held.resolve();
    await running.emissions.settled();

    expect(recorder.names).toEqual([
      'a',
      'of.one.that.returns',
      'early.of.one.that.waits',
      'late.of.one.that.waits',
    ]);
  });

  it('name the emission they handle as the cause, however many are handled in one round', async () => {
    handle(
      () => emit('b'),
      async () => {
        await nextRound();
        emit('c');
      },
    );
    await running.emissions.run(() => {
      for (let i = 0; i < 20; i++) emit('a');
    });
    await running.emissions.settled();
    const ids = (name: string): string[] =>
      recorder.emissions.filter((each) => each.name === name).map(({ id }) => id);
    const causes = (name: string): (string | undefined)[] =>
      recorder.emissions.filter((each) => each.name === name).map(({ causationId }) => causationId);

    expect(new Set(causes('b'))).toEqual(new Set(ids('a')));
    expect(new Set(causes('c'))).toEqual(new Set(ids('a')));
    expect(causes('b')).toHaveLength(20);
    expect(causes('c')).toHaveLength(20);
  });

  it('may begin, end and nest buffers by hand without touching those of others', async () => {
    handle(
      () => {
        emit('terminated');
        running.emissions.terminate();
        running.emissions.start();
        emit('begun.again');
      },
      () => emit('of.the.next'),
      async () => {
        await running.emissions.run(() => emit('nested'));
        emit('around.it');
      },
    );
    await emitAndSettle(running.emissions, 'a');

    expect(recorder.names.toSorted()).toEqual(
      ['a', 'around.it', 'begun.again', 'nested', 'of.the.next'].toSorted(),
    );
  });
});

describe('Handlers that have not been called before', () => {
  it.each([
    ['and succeeds', false],
    ['and fails', true],
  ])(
    'that returned at once have nothing to do with the next one that waits %s',
    async (_, fails) => {
      using log = listen('emissions:emission:dropped');
      const later: Promise<void>[] = [];
      let taken: unknown = 'not yet';
      subscribe([
        () => {
          later.push(
            nextRound().then(() => {
              taken = running.emissions.emit('late');
              running.emissions.terminate();
            }),
          );
        },
        async () => {
          emit('of.the.second');
          await rounds(3);
          if (fails) throw new Error('no');
        },
      ]);
      await emitAndSettle(running.emissions, 'a');
      await Promise.all(later);
      await running.emissions.settled();

      expect(taken).toBeUndefined();
      expect(recorder.names).toEqual(fails ? ['a'] : ['a', 'of.the.second']);
      expect(log.all.map(({ message }) => message.reason)).toEqual(['buffer-closed']);
    },
  );
});

describe('Where what is emitted after a unit of work is delivered', () => {
  it.each([
    ['ignores the emission', (): unknown => IGNORED],
    ['fails', (): unknown => failWith(new Error('no'))],
  ])('so is what a handler left behind, also when the next one %s', async (_, ends) => {
    const imports = [EmissionsModule.forRoot({ unbuffered: 'deliver' })];
    await using app = await start({ imports });
    const later: Promise<void>[] = [];
    let delivered = 0;
    let isLast = false;
    app.emissions.subscribe('a', () => {
      if (isLast) later.push(nextRound().then(() => void app.emissions.emit('late')));
    });
    app.emissions.subscribe('a', () => (isLast ? ends() : undefined));
    app.emissions.subscribe('late', () => void delivered++);
    for (isLast of [false, true]) {
      // oxlint-disable-next-line no-await-in-loop -- that they return at once is known the second time
      await emitAndSettle(app.emissions, 'a');
    }
    await Promise.all(later);
    await app.emissions.settled();

    expect(delivered).toBe(1);
  });
});

describe('An emission', () => {
  it('has a context made for handlers that follow others only where there are some', async () => {
    const made: string[] = [];
    const hook = createHook({ init: (_id, type) => void made.push(type) }).enable();
    const { emissions } = running;
    emissions.subscribe('b', () => {});
    const during = async (name: string): Promise<number> => {
      await emitAndSettle(emissions, name);
      made.length = 0;
      await emitAndSettle(emissions, name);
      return made.filter((type) => type === 'nestjs-emissions:handler').length;
    };
    const counts = [await during('a'), await during('b')];
    hook.disable();

    expect(counts).toEqual([1, 0]);
  });
});

describe('The unit that handlers share which return at once', () => {
  const rules: CallRules<HandlerContext> = {
    paced: () => {},
    keeps: () => true,
    over: () => {},
    ended: () => {},
    failed: () => {},
  };

  it('is one after another, and never that of one which has not returned', () => {
    const buffers = new BufferContext(() => {}, 10);
    const scope = new HandlingScope(buffers);
    const emission = { name: 'a', payload: 1 } as Emission<never>;
    const slot = { unit: undefined };
    const units: unknown[] = [];
    const call = (within: () => void = () => {}): void => {
      const method = (): void => {
        units.push(buffers.current());
        within();
      };
      scope.callNext(emission, { handle: method }, {} as HandlerContext, rules, slot);
    };
    call();
    call();
    call(() => {
      // Ended by hand, it looks as if it were over.
      void buffers.current()!.buffer!.commit();
      call();
    });

    expect(units.slice(1, 3)).toEqual([units[0], units[0]]);
    expect(units[3]).not.toBe(units[2]);
  });

  it('is also that of handlers after one that returned or emitted something', () => {
    const buffers = new BufferContext(() => {}, 10);
    const scope = new HandlingScope(buffers);
    const emission = { name: 'a', payload: 1 } as Emission<never>;
    const slot = { unit: undefined };
    const units: unknown[] = [];
    const call = (within: () => unknown): void => {
      const handle = (): unknown => {
        units.push(buffers.current());
        return within();
      };
      scope.callNext(emission, { handle }, {} as HandlerContext, rules, slot);
    };
    call(() => 'done');
    call(() => buffers.current()!.buffer!.add({ name: 'b' } as Emission));
    call(() => 'done');
    call(() => undefined);

    expect(new Set(units).size).toBe(1);
    expect(units).toHaveLength(4);
  });

  it('is that of no handler after one that ignored the emission, or where it matters how each has ended', () => {
    const emission = { name: 'a', payload: 1 } as Emission<never>;
    const unitsOf = (shares: boolean, keeps: boolean): unknown[] => {
      const buffers = new BufferContext(() => {}, 10);
      const scope = new HandlingScope(buffers, shares);
      const slot = { unit: undefined };
      const units: unknown[] = [];
      const handle = (): unknown => {
        units.push(buffers.current());
        return IGNORED;
      };
      const ruled = { ...rules, keeps: () => keeps };
      for (let i = 0; i < 2; i++)
        scope.callNext(emission, { handle }, {} as HandlerContext, ruled, slot);
      return units;
    };
    const [first, second] = unitsOf(true, false);
    const [apart, other] = unitsOf(false, true);

    expect(second).not.toBe(first);
    expect(other).not.toBe(apart);
  });

  it('is given to nobody else once somebody has begun a buffer in it', () => {
    const buffers = new BufferContext(() => {}, 10);
    const scope = new HandlingScope(buffers);
    const emission = { name: 'a', payload: 1 } as Emission<never>;
    const slot = { unit: undefined };
    const units: unknown[] = [];
    let enter: (work: () => void) => void = () => {};
    const call = (): void => {
      const method = (): void => {
        units.push(buffers.current());
        enter = AsyncResource.bind((work: () => void) => work());
      };
      scope.callNext(emission, { handle: method }, {} as HandlerContext, rules, slot);
    };
    call();
    call();
    // What a handler left behind can be called by another one, before the next is.
    enter(() => void buffers.start());
    call();

    expect(units[1]).toBe(units[0]);
    expect(units[2]).not.toBe(units[1]);
  });
});

function failWith(error: Error): never {
  throw error;
}
