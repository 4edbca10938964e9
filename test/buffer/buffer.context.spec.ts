import { describe, expect, it } from '@jest/globals';
import { BufferAlreadyStartedError, BufferNotStartedError } from 'nestjs-emissions';
import { lab } from '../support/lab.js';
import { listen } from '../support/signals.js';

const failing = async (): Promise<never> => {
  throw new Error('inner');
};

describe('a run within a buffer', () => {
  it('joins it in emission order when it succeeds', async () => {
    await using at = await lab();
    using log = listen('emissions:buffer:started', 'emissions:buffer:committed');
    await at.emissions.run(async () => {
      at.emissions.emit('a');
      await at.emissions.run(() => at.emissions.emit('b'));
      at.emissions.emit('c');
      expect(at.sink.batches).toEqual([]);
    });
    expect(await at.names()).toEqual(['a', 'b', 'c']);
    expect(log.all.map(({ message }) => message.count)).toEqual([1, 3]);
  });

  it('disappears when it throws, and what is around it lives on', async () => {
    await using at = await lab();
    using log = listen('emissions:buffer:terminated');
    await at.emissions.run(async () => {
      at.emissions.emit('a');
      const inner = at.emissions.run(async () => {
        at.emissions.emit('b');
        await failing();
      });
      await expect(inner).rejects.toThrow('inner');
      at.emissions.emit('c');
    });
    expect(await at.names()).toEqual(['a', 'c']);
    expect(log.all.map(({ message }) => message)).toEqual([{ count: 1, savepoint: true }]);
  });

  it('goes with what is around it when that fails', async () => {
    await using at = await lab();
    using log = listen('emissions:buffer:terminated');
    const outer = at.emissions.run(async () => {
      await at.emissions.run(() => at.emissions.emit('a'));
      await failing();
    });
    await expect(outer).rejects.toThrow('inner');
    expect(await at.names()).toEqual([]);
    expect(log.all.map(({ message }) => message)).toEqual([{ count: 1, savepoint: false }]);
  });

  it('joins or disappears by itself among branches that run side by side', async () => {
    await using at = await lab();
    await at.emissions.run(async () => {
      const gates = [1, 2, 3].map(() => Promise.withResolvers<void>());
      const branches = gates.map(({ promise }, n) =>
        at.emissions.run(async () => {
          at.emissions.emit(`first.${n}`);
          await promise;
          at.emissions.emit(`second.${n}`);
          if (n === 1) await failing();
        }),
      );
      at.emissions.emit('between');
      for (const n of [2, 1, 0]) {
        gates[n]!.resolve();
        await Promise.allSettled([branches[n]!]);
      }
    });
    expect(await at.names()).toEqual(['first.0', 'first.2', 'between', 'second.2', 'second.0']);
  });

  it('works three deep: the middle decides over the innermost', async () => {
    await using at = await lab();
    const nest = (fails: boolean): Promise<void> =>
      at.emissions.run(async () => {
        at.emissions.emit('middle');
        await at.emissions.run(async () => {
          at.emissions.emit('inner');
          await at.emissions.run(() => at.emissions.emit('innermost'));
        });
        if (fails) await failing();
      });
    await at.emissions.run(async () => {
      at.emissions.emit('outer');
      await nest(false);
      await expect(nest(true)).rejects.toThrow('inner');
    });
    expect(await at.names()).toEqual(['outer', 'middle', 'inner', 'innermost']);
  });

  it('may be ended by hand, which ends just itself', async () => {
    await using at = await lab();
    await at.emissions.run(async () => {
      at.emissions.emit('a');
      await at.emissions.run(async () => {
        at.emissions.emit('b');
        expect(await at.emissions.commit()).toBe(1);
        expect(at.emissions.emit('late')).toBeUndefined();
        await expect(at.emissions.commit()).rejects.toThrow(BufferNotStartedError);
      });
      await at.emissions.run(() => {
        at.emissions.emit('c');
        expect(at.emissions.terminate()).toBe(1);
        expect(at.emissions.emit('late')).toBeUndefined();
      });
      expect(at.sink.batches).toEqual([]);
      at.emissions.emit('d');
    });
    expect(await at.names()).toEqual(['a', 'b', 'd']);
  });

  it('hands over by flush what it emitted itself, for good', async () => {
    await using at = await lab();
    const outer = at.emissions.run(async () => {
      at.emissions.emit('a');
      await at.emissions.run(async () => {
        at.emissions.emit('b');
        expect(await at.emissions.flush()).toBe(1);
        at.emissions.emit('c');
      });
      await failing();
    });
    await expect(outer).rejects.toThrow('inner');
    expect(await at.names()).toEqual(['b']);
  });

  it('may start a buffer in the place of one it ended: that is within the outer one, too', async () => {
    await using at = await lab();
    const outer = at.emissions.run(async () => {
      await at.emissions.run(async () => {
        at.emissions.emit('a');
        expect(() => at.emissions.start()).toThrow(BufferAlreadyStartedError);
        await at.emissions.commit();
        at.emissions.start();
        at.emissions.emit('b');
        expect(await at.emissions.commit()).toBe(1);
      });
      await failing();
    });
    await expect(outer).rejects.toThrow('inner');
    expect(await at.names()).toEqual([]);
  });
});

describe('a run that outlives the buffer around it', () => {
  /** Ends the outer buffer while the inner run waits, then lets the inner one emit once more and end. */
  async function outlive(
    at: Awaited<ReturnType<typeof lab>>,
    end: 'commit' | 'throw',
    inner: () => unknown = () => {},
  ): Promise<void> {
    const { promise: over, resolve: outerIsOver } = Promise.withResolvers<void>();
    let innerRun: Promise<void> | undefined;
    const outer = at.emissions.run(async () => {
      at.emissions.emit('outer');
      innerRun = at.emissions.run(async () => {
        at.emissions.emit('early');
        await over;
        expect(at.emissions.emit('late')).toBeUndefined();
        await inner();
      });
      if (end === 'throw') await failing();
    });
    await Promise.allSettled([outer]);
    outerIsOver();
    await innerRun;
  }

  it.each([
    ['commit', ['outer']],
    ['throw', []],
  ] as const)('is dropped and signalled after a %s', async (end, delivered) => {
    await using at = await lab();
    using log = listen('emissions:emission:dropped');
    await outlive(at, end);
    expect(await at.names()).toEqual(delivered);
    expect(log.all.map(({ message }) => message)).toEqual([
      { reason: 'buffer-closed', emission: 'late', count: 1 },
      { reason: 'buffer-closed', emission: 'early', count: 1 },
    ]);
  });

  it.each(['commit', 'flush'] as const)('cannot %s by hand', async (verb) => {
    await using at = await lab();
    await outlive(at, 'throw', () =>
      expect(at.emissions[verb]()).rejects.toThrow(BufferNotStartedError),
    );
    expect(await at.names()).toEqual([]);
  });

  it('may start a buffer of its own', async () => {
    await using at = await lab();
    using log = listen('emissions:emission:dropped');
    await outlive(at, 'throw', () => {
      at.emissions.start();
      at.emissions.emit('own');
    });
    expect(await at.names()).toEqual(['own']);
    expect(log.all.map(({ message }) => message.emission)).toEqual(['late', 'early']);
  });
});
