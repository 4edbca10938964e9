import { EventEmitter } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { BufferNotStartedError, ConfigurationError, type Emission } from 'nestjs-emissions';
import { lab } from './support/lab.js';
import { listen } from './support/signals.js';

const LIFE = [
  'emissions:buffer:started',
  'emissions:buffer:committed',
  'emissions:buffer:terminated',
] as const;

describe('run', () => {
  it('commits when the work resolves, gives its result, and resolves after the commit', async () => {
    await using at = await lab();
    const held = at.commits.hold();
    let result: number | undefined;
    const run = at.emissions
      .run(async () => {
        at.emissions.emit('a');
        await Promise.resolve();
        at.emissions.emit('b');
        return 42;
      })
      .then((value) => (result = value));
    for (let i = 0; i < 20; i++) await Promise.resolve();
    expect(result).toBeUndefined();
    held.pass();
    expect(await run).toBe(42);
    expect(await at.names()).toEqual(['a', 'b']);
  });

  it.each([
    ['throws', () => Promise.reject(new Error('no'))],
    [
      'throws at once',
      () => {
        throw new Error('no');
      },
    ],
  ])(
    'discards what was emitted when the work %s, and live buffers return to none',
    async (_, fail) => {
      await using at = await lab();
      using log = listen(...LIFE);
      const run = at.emissions.run(() => {
        at.emissions.emit('a');
        return fail();
      });
      await expect(run).rejects.toThrow('no');
      expect(await at.names()).toEqual([]);
      expect(log.all).toEqual([
        { channel: 'emissions:buffer:started', message: { count: 1 } },
        { channel: 'emissions:buffer:terminated', message: { count: 1, savepoint: false } },
      ]);
    },
  );

  it.each([['x'], [undefined], [Promise.resolve(1)]])(
    'rejects work that is no function, with the line to write: %p',
    async (work) => {
      await using at = await lab();
      using log = listen(...LIFE);
      const run = at.emissions.run(work as never);
      await expect(run).rejects.toThrow(ConfigurationError);
      await expect(run).rejects.toThrow(
        /^run takes the work as a function, but got .+\. Write: emissions\.run\(async \(\) => \{ … \}\)\.$/,
      );
      expect(log.all).toEqual([]);
    },
  );

  it('fails with what the commit fails with', async () => {
    await using at = await lab();
    at.commits.refuse(new Error('refused'));
    await expect(at.emissions.run(() => void at.emissions.emit('a'))).rejects.toThrow('refused');
    expect(await at.names()).toEqual([]);
  });

  it('takes emissions of parallel branches, timers and callbacks, in the order they were emitted', async () => {
    await using at = await lab();
    const emitter = new EventEmitter();
    await at.emissions.run(async () => {
      emitter.once('event', (name: string) => at.emissions.emit(name));
      const branch = async (name: string, after: Promise<unknown>): Promise<void> => {
        await after;
        at.emissions.emit(name);
      };
      const first = branch('branch.1', Promise.resolve());
      const second = branch('branch.2', first);
      emitter.emit('event', 'callback');
      await new Promise<void>((resolve) =>
        setTimeout(() => {
          at.emissions.emit('timer');
          process.nextTick(() => {
            at.emissions.emit('tick');
            setImmediate(() => {
              at.emissions.emit('immediate');
              queueMicrotask(resolve);
            });
          });
        }, 0),
      );
      await second;
    });
    expect(await at.names()).toEqual([
      'callback',
      'branch.1',
      'branch.2',
      'timer',
      'tick',
      'immediate',
    ]);
  });

  it('keeps 100 units that run side by side apart', async () => {
    await using at = await lab();
    using log = listen('emissions:buffer:committed');
    const unit = (n: number) =>
      at.emissions.run(async () => {
        for (let i = 0; i < 10; i++) {
          at.emissions.emit('step', { n, i });
          await new Promise<void>((resolve) => setImmediate(resolve));
        }
      });
    await Promise.all(Array.from({ length: 100 }, (_, n) => unit(n)));
    expect(log.all.map(({ message }) => message.count)).toEqual(
      Array.from({ length: 100 }, () => 10),
    );
    const delivered = (await at.delivered()) as readonly Emission<{ n: number; i: number }>[];
    expect(delivered).toHaveLength(1_000);
    // Each commit arrives in one piece.
    const runs = Map.groupBy(delivered.keys(), (position) => Math.floor(position / 10));
    for (const indices of runs.values()) {
      const own = indices.map((i) => delivered[i]!);
      expect(new Set(own.map(({ payload }) => payload.n)).size).toBe(1);
      expect(new Set(own.map(({ correlationId }) => correlationId)).size).toBe(1);
      expect(own.map(({ payload }) => payload.i)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }
    expect(new Set(delivered.map(({ correlationId }) => correlationId)).size).toBe(100);
  });

  it('delivers a payload as it was at the emit', async () => {
    await using at = await lab();
    const order = { items: ['a'], at: new Date(0) };
    await at.emissions.run(() => {
      at.emissions.emit('order', order);
      order.items.push('b');
      order.at.setFullYear(2000);
    });
    expect((await at.delivered())[0]!.payload).toEqual({ items: ['a'], at: new Date(0) });
  });

  it('is content with a buffer that the work has ended by hand', async () => {
    await using at = await lab();
    await at.emissions.run(async () => {
      at.emissions.emit('a');
      await at.emissions.commit();
      expect(at.emissions.emit('late')).toBeUndefined();
    });
    await at.emissions.run(() => {
      at.emissions.emit('b');
      at.emissions.terminate();
    });
    expect(await at.names()).toEqual(['a']);
  });

  it('ends a buffer that the work has started in place of its own', async () => {
    await using at = await lab();
    using log = listen(...LIFE);
    await at.emissions.run(async () => {
      at.emissions.emit('a');
      await at.emissions.commit();
      at.emissions.start();
      at.emissions.emit('b');
    });
    const failing = at.emissions.run(async () => {
      await at.emissions.commit();
      at.emissions.start();
      at.emissions.emit('c');
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(await at.names()).toEqual(['a', 'b']);
    expect(log.of('emissions:buffer:started')).toHaveLength(4);
    expect(log.all.length - 4).toBe(4);
  });

  it('begins a unit of its own in work that outlived its unit', async () => {
    await using at = await lab();
    const { promise: over, resolve: end } = Promise.withResolvers<void>();
    let late: Promise<unknown> | undefined;
    await at.emissions.run(() => {
      late = over.then(async () => {
        expect(at.emissions.emit('lost')).toBeUndefined();
        await expect(at.emissions.commit()).rejects.toThrow(BufferNotStartedError);
        await at.emissions.run(() => at.emissions.emit('late'));
      });
    });
    end();
    await late;
    expect(await at.names()).toEqual(['late']);
  });
});

describe('Work that gives a function with a `then`', () => {
  it('is waited for, as await does', async () => {
    await using at = await lab();
    const failing = Object.assign(() => {}, {
      // oxlint-disable-next-line unicorn/no-thenable -- that is the point
      then: (_ok: unknown, fail: (error: Error) => void) => fail(new Error('no')),
    });
    const running = at.emissions.run(() => {
      at.emissions.emit('a');
      return failing as never;
    });
    await expect(running).rejects.toThrow('no');
    expect(await at.names()).toEqual([]);
  });
});

describe('An adapter that gives a promise within a promise of another kind', () => {
  it('has failed when that fails', async () => {
    await using at = await lab();
    using log = listen('emissions:adapter:failed');
    const nested = {
      // oxlint-disable-next-line unicorn/no-thenable -- that is the point
      then: (ok: (value: unknown) => void) => ok(Promise.reject(new Error('within'))),
    };
    at.emissions.addAdapter('nested', { deliver: () => nested as never });
    await at.emissions.run(() => at.emissions.emit('a'));
    await at.emissions.settled();
    expect(log.all.map(({ message }) => message)).toMatchObject([{ error: new Error('within') }]);
  });
});
