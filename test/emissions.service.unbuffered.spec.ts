import { describe, expect, it } from '@jest/globals';
import {
  BufferClosedError,
  BufferNotStartedError,
  InvalidEmissionError,
  PipelineClosedError,
  PipelineFullError,
  type UnbufferedPolicy,
} from 'nestjs-emissions';
import { HeldAdapter } from './support/adapters.js';
import { lab, type Lab } from './support/lab.js';
import { captureLogs } from './support/logs.js';
import { listen } from './support/signals.js';

const dropped = (reason: string, emission = 'late') => ({ reason, emission, count: 1 });

/** How a unit of work can stand when something of it emits too late. */
const ENDINGS: [string, (at: Lab) => Promise<() => Promise<unknown>>, boolean][] = [
  [
    'while its commit is in progress',
    async (at) => {
      const held = at.commits.hold();
      const { promise, resolve: emitNow } = Promise.withResolvers<() => unknown>();
      const { promise: tried, resolve: done } = Promise.withResolvers<unknown>();
      void at.emissions.run(() => {
        at.emissions.emit('early');
        void promise.then((emit) => done(new Promise((resolve) => resolve(emit()))));
      });
      return async () => {
        for (let i = 0; i < 10; i++) await Promise.resolve();
        emitNow(() => at.emissions.emit('late'));
        await tried.finally(() => held.pass());
        return tried;
      };
    },
    false,
  ],
  ['after its commit', (at) => ended(at, () => {}), true],
  ['after it has failed', (at) => ended(at, () => Promise.reject(new Error('no'))), false],
  ['after terminate', (at) => ended(at, () => void at.emissions.terminate()), false],
  [
    'after a nested run has joined a unit that is open',
    async (at) => {
      const { promise: over, resolve: end } = Promise.withResolvers<void>();
      let late: Promise<unknown> | undefined;
      const outer = at.emissions.run(async () => {
        await at.emissions.run(() => {
          late = over.then(() => at.emissions.emit('late'));
        });
        end();
        await Promise.allSettled([late]);
        throw new Error('no');
      });
      await Promise.allSettled([outer]);
      return () => late!;
    },
    false,
  ],
];

/** A unit that is over, and something of it that emits when it is called. */
async function ended(at: Lab, work: () => unknown): Promise<() => Promise<unknown>> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let late: Promise<unknown> | undefined;
  const run = at.emissions.run(async () => {
    late = promise.then(() => at.emissions.emit('late'));
    late.catch(() => {});
    await work();
  });
  await Promise.allSettled([run]);
  return () => {
    resolve();
    return late!;
  };
}

describe("without a buffer, emit with the policy 'drop'", () => {
  it('is the default: signals each time, warns once per name, returns nothing', async () => {
    await using at = await lab();
    using logs = captureLogs();
    using log = listen('emissions:emission:dropped');
    for (const name of ['a', 'a', 'b']) expect(at.emissions.emit(name, {})).toBeUndefined();
    expect(await at.names()).toEqual([]);
    expect(log.all.map(({ message }) => message)).toEqual(
      ['a', 'a', 'b'].map((name) => dropped('unbuffered', name)),
    );
    expect(logs.of('warn')).toHaveLength(2);
    expect(logs.of('warn')[0]).toMatch(
      /'a' was emitted while no buffer was active.*emissions\.run/,
    );
  });

  it('still refuses what is no emission', async () => {
    await using at = await lab();
    expect(() => at.emissions.emit('')).toThrow(InvalidEmissionError);
    expect(() => at.emissions.emit({} as object)).toThrow(InvalidEmissionError);
  });
});

describe("without a buffer, emit with the policy 'throw'", () => {
  it('throws, and signals, and does not say it once more in the log', async () => {
    await using at = await lab({ unbuffered: 'throw' });
    using logs = captureLogs();
    using log = listen('emissions:emission:dropped');
    expect(() => at.emissions.emit('a')).toThrow(BufferNotStartedError);
    expect(() => at.emissions.emit('a')).toThrow("emit('a') needs an active buffer");
    expect(await at.names()).toEqual([]);
    expect(log.all).toHaveLength(2);
    expect(logs.of('warn')).toEqual([]);
  });
});

describe("without a buffer, emit with the policy 'deliver'", () => {
  it('hands over at once', async () => {
    await using at = await lab({ unbuffered: 'deliver' });
    using log = listen('emissions:emission:dropped');
    const emission = at.emissions.emit('a', { n: 1 });
    expect(emission).toMatchObject({ name: 'a', payload: { n: 1 } });
    expect(await at.delivered()).toEqual([emission]);
    expect(log.all).toEqual([]);
  });

  it('knows what its unit of work had in common, also once that has been committed', async () => {
    await using at = await lab({ unbuffered: 'deliver' });
    const { promise: over, resolve: end } = Promise.withResolvers<void>();
    let late: Promise<unknown> | undefined;
    const context = { tenant: 't', correlationId: 'c', metadata: { by: 'cron' } };
    await at.emissions.run(() => void (late = over.then(() => at.emissions.emit('late'))), context);
    end();
    expect(await late).toMatchObject(context);
  });

  it('throws what the hand-over refuses at once', async () => {
    await using at = await lab({ unbuffered: 'deliver' });
    at.emissions.addAdapter('full', new HeldAdapter(), {
      capacity: 1,
      overflow: 'reject',
      batchSize: 1,
    });
    const emitted: unknown[] = [];
    expect(() => {
      for (;;) emitted.push(at.emissions.emit('a'));
    }).toThrow(PipelineFullError);
    await at.emissions.removeAdapter('full');
    expect(await at.delivered()).toEqual(emitted);
  });

  it('signals what is refused at once, and why', async () => {
    const at = await lab({ unbuffered: 'deliver' });
    using log = listen('emissions:emission:dropped');
    const boom = new Error('boom');
    at.participate(() => {
      throw boom;
    });
    expect(() => at.emissions.emit('a')).toThrow(boom);
    await at[Symbol.asyncDispose]();
    expect(() => at.emissions.emit('b')).toThrow(PipelineClosedError);
    expect(log.all.map(({ message }) => message)).toEqual([
      dropped('overflow', 'a'),
      dropped('shutdown', 'b'),
    ]);
  });

  it('signals and logs what is refused with something that cannot be asked what it is', async () => {
    await using at = await lab({ unbuffered: 'deliver' });
    using logs = captureLogs();
    using log = listen('emissions:emission:dropped');
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const held = at.commits.hold();
    at.emissions.emit('a');
    held.refuse(proxy as Error);
    expect(await at.names()).toEqual([]);
    expect(log.all.map(({ message }) => message)).toEqual([dropped('overflow', 'a')]);
    expect(logs.of('error')).toEqual([expect.stringContaining("'a' was emitted without a buffer")]);
  });

  it('signals and logs what is refused later', async () => {
    await using at = await lab({ unbuffered: 'deliver' });
    using logs = captureLogs();
    using log = listen('emissions:emission:dropped');
    const held = at.commits.hold();
    expect(at.emissions.emit('a')).toBeDefined();
    held.refuse(new Error('no room'));
    expect(await at.names()).toEqual([]);
    expect(log.all.map(({ message }) => message)).toEqual([dropped('overflow', 'a')]);
    expect(logs.of('error')).toEqual([expect.stringContaining("'a' was emitted without a buffer")]);
  });
});

describe.each(ENDINGS)('what a unit of work emits %s', (_, unit, hasLeft) => {
  it("is dropped and signalled with the policy 'drop'", async () => {
    await using at = await lab();
    using logs = captureLogs();
    using log = listen('emissions:emission:dropped');
    const emit = await unit(at);
    expect(await emit()).toBeUndefined();
    expect(log.all.map(({ message }) => message)).toEqual([dropped('buffer-closed')]);
    expect(logs.of('warn')).toEqual([expect.stringContaining('after its unit of work had ended')]);
    expect(await at.names()).not.toContain('late');
  });

  it("throws with the policy 'throw'", async () => {
    await using at = await lab({ unbuffered: 'throw' });
    const emit = await unit(at).catch((error: unknown) => () => Promise.reject(error as Error));
    await expect(emit()).rejects.toThrow(BufferClosedError);
    expect(await at.names()).not.toContain('late');
  });

  it(`is ${hasLeft ? 'delivered' : 'dropped'} with the policy 'deliver'`, async () => {
    await using at = await lab({ unbuffered: 'deliver' satisfies UnbufferedPolicy });
    using log = listen('emissions:emission:dropped');
    const emit = await unit(at);
    const emission = await emit();
    expect(emission === undefined).toBe(!hasLeft);
    expect((await at.names()).includes('late')).toBe(hasLeft);
    expect(log.all.map(({ message }) => message)).toEqual(
      hasLeft ? [] : [dropped('buffer-closed')],
    );
  });
});
