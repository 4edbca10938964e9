import { describe, expect, it } from '@jest/globals';
import {
  BufferAlreadyStartedError,
  BufferFullError,
  BufferNotStartedError,
  ConfigurationError,
  InvalidEmissionError,
  PipelineClosedError,
  type EmissionAdapter,
} from 'nestjs-emissions';
import { HeldAdapter } from './support/adapters.js';
import { lab } from './support/lab.js';
import { listen } from './support/signals.js';
import { keepBusy, rounds, until } from './support/until.js';

describe('a buffer started by hand', () => {
  it('is empty, and signalled once', async () => {
    await using at = await lab();
    using log = listen('emissions:buffer:started');
    const buffer = at.emissions.start();
    expect(buffer.size).toBe(0);
    expect(buffer.emissions).toEqual([]);
    expect(log.of('emissions:buffer:started')).toEqual([{ count: 1 }]);
  });

  it('is untouched by a second start, which is refused', async () => {
    await using at = await lab();
    const buffer = at.emissions.start();
    at.emissions.emit('a');
    at.emissions.emit('b');
    expect(() => at.emissions.start()).toThrow(BufferAlreadyStartedError);
    expect(buffer.emissions.map(({ name }) => name)).toEqual(['a', 'b']);
    expect(await at.emissions.commit()).toBe(2);
    expect(await at.names()).toEqual(['a', 'b']);
  });

  it('takes emissions without waiting and shows them to nobody before the commit', async () => {
    await using at = await lab();
    at.emissions.start();
    expect(at.emissions.emit('a', { n: 1 })).toMatchObject({ name: 'a', payload: { n: 1 } });
    expect(await at.names()).toEqual([]);
    await at.emissions.commit();
    expect(await at.names()).toEqual(['a']);
  });

  it('gives emissions the time of the emit, and empty metadata when none is said', async () => {
    await using at = await lab();
    at.emissions.start();
    const before = Date.now();
    const emission = at.emissions.emit('a', {})!;
    const after = Date.now();
    expect(emission.metadata).toEqual({});
    expect(Math.ceil(emission.occurredAt)).toBeGreaterThanOrEqual(before);
    expect(Math.floor(emission.occurredAt)).toBeLessThanOrEqual(after);
    await at.emissions.commit();
    expect((await at.delivered())[0]!.occurredAt).toBe(emission.occurredAt);
  });

  it('is delivered in emission order, and the commit counts', async () => {
    await using at = await lab();
    using log = listen('emissions:buffer:committed');
    at.emissions.start();
    for (const name of ['a', 'b', 'c', 'd', 'e']) at.emissions.emit(name);
    expect(await at.emissions.commit()).toBe(5);
    expect(await at.names()).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(log.all.map(({ message }) => message.count)).toEqual([5]);
    expect(log.all[0]!.message.durationMs).toBeGreaterThanOrEqual(0);
  });

  it('takes nothing more once committed, and a new one starts empty', async () => {
    await using at = await lab();
    at.emissions.start();
    at.emissions.emit('a');
    await at.emissions.commit();
    expect(at.emissions.emit('late')).toBeUndefined();
    expect(at.emissions.start().size).toBe(0);
    at.emissions.emit('b');
    await at.emissions.commit();
    expect(await at.names()).toEqual(['a', 'b']);
  });

  it('commits empty without claiming anything', async () => {
    await using at = await lab();
    using log = listen('emissions:buffer:committed', 'emissions:adapter:delivered');
    at.emissions.start();
    expect(await at.emissions.commit()).toBe(0);
    await at.emissions.settled();
    expect(at.sink.batches).toEqual([]);
    expect(log.all.map(({ message }) => message.count)).toEqual([0]);
    await expect(at.emissions.commit()).rejects.toThrow(BufferNotStartedError);
  });

  it('is committed long before a slow adapter is done', async () => {
    const held = new HeldAdapter();
    await using at = await lab();
    at.emissions.addAdapter('slow', held as EmissionAdapter);
    at.emissions.start();
    at.emissions.emit('a');
    expect(await at.emissions.commit()).toBe(1);
    expect(held.running).toBe(0);
    const settled = at.emissions.settled();
    await until(() => held.running === 1);
    held.release();
    await settled;
    expect(held.names).toEqual(['a']);
  });

  it('delivers what was flushed at the flush and the rest at the commit, neither twice', async () => {
    await using at = await lab();
    at.emissions.start();
    at.emissions.emit('a');
    expect(await at.emissions.flush()).toBe(1);
    expect(await at.names()).toEqual(['a']);
    at.emissions.emit('b');
    expect(await at.emissions.commit()).toBe(1);
    expect(await at.names()).toEqual(['a', 'b']);
  });

  it('delivers only what was flushed when it is terminated', async () => {
    await using at = await lab();
    using log = listen('emissions:buffer:flushed', 'emissions:buffer:terminated');
    at.emissions.start();
    at.emissions.emit('a');
    await at.emissions.flush();
    at.emissions.emit('b');
    expect(at.emissions.terminate()).toBe(1);
    expect(await at.names()).toEqual(['a']);
    expect(log.all).toMatchObject([
      { channel: 'emissions:buffer:flushed', message: { count: 1 } },
      { channel: 'emissions:buffer:terminated', message: { count: 1, savepoint: false } },
    ]);
  });

  it('delivers nothing when it is terminated, and takes nothing more', async () => {
    await using at = await lab();
    at.emissions.start();
    for (const name of ['a', 'b', 'c']) at.emissions.emit(name);
    expect(at.emissions.terminate()).toBe(3);
    expect(at.emissions.emit('late')).toBeUndefined();
    expect(await at.names()).toEqual([]);
  });

  it('does not outlive the execution that started it', async () => {
    await using at = await lab();
    const unit = async (): Promise<void> => {
      await Promise.resolve();
      at.emissions.start();
      at.emissions.emit('a');
    };
    await unit();
    await expect(at.emissions.commit()).rejects.toThrow(BufferNotStartedError);
    expect(await at.names()).toEqual([]);
  });
});

describe('without a buffer', () => {
  it('terminate is harmless', async () => {
    await using at = await lab();
    using log = listen('emissions:buffer:terminated');
    expect(at.emissions.terminate()).toBe(0);
    at.emissions.start();
    await at.emissions.commit();
    expect(at.emissions.terminate()).toBe(0);
    expect(log.all).toEqual([]);
  });

  it.each(['commit', 'flush'] as const)('%s rejects and says how to get one', async (verb) => {
    await using at = await lab();
    const call = at.emissions[verb]();
    await expect(call).rejects.toThrow(BufferNotStartedError);
    await expect(call).rejects.toMatchObject({ code: 'EMISSIONS_BUFFER_NOT_STARTED' });
    await expect(call).rejects.toThrow(new RegExp(`^${verb}\\(\\) needs .* emissions\\.run\\(`));
  });
});

describe('a hand-over that fails', () => {
  it('fails the commit, and nothing of it is delivered, then or later', async () => {
    await using at = await lab();
    using log = listen('emissions:buffer:committed', 'emissions:buffer:terminated');
    at.emissions.start();
    at.emissions.emit('a');
    at.emissions.emit('b');
    const refusal = new Error('no');
    at.commits.refuse(refusal);
    await expect(at.emissions.commit()).rejects.toBe(refusal);
    expect(at.emissions.emit('late')).toBeUndefined();
    await expect(at.emissions.commit()).rejects.toThrow(BufferNotStartedError);
    expect(await at.names()).toEqual([]);
    expect(log.all).toEqual([
      {
        channel: 'emissions:buffer:terminated',
        message: { count: 2, savepoint: false, error: refusal },
      },
    ]);
  });

  it('after the application has closed is an error, not a loss', async () => {
    const at = await lab();
    at.emissions.start();
    at.emissions.emit('a');
    await at[Symbol.asyncDispose]();
    await expect(at.emissions.commit()).rejects.toThrow(PipelineClosedError);
  });

  it('leaves what was to be flushed in its place', async () => {
    await using at = await lab();
    at.emissions.start();
    at.emissions.emit('a');
    at.commits.refuse(new Error('no'));
    await expect(at.emissions.flush()).rejects.toThrow('no');
    at.emissions.emit('b');
    expect(await at.emissions.commit()).toBe(2);
    expect(await at.names()).toEqual(['a', 'b']);
  });
});

describe('a buffer with a capacity', () => {
  it('refuses what is too much, signals it and keeps what it holds', async () => {
    await using at = await lab({ buffer: { capacity: 2 } });
    using log = listen('emissions:emission:dropped');
    const buffer = at.emissions.start();
    at.emissions.emit('a');
    at.emissions.emit('b');
    expect(() => at.emissions.emit('c')).toThrow(BufferFullError);
    expect(buffer.size).toBe(2);
    expect(log.all.map(({ message }) => message)).toEqual([
      { reason: 'buffer-full', emission: 'c', count: 1 },
    ]);
    await at.emissions.flush();
    expect(at.emissions.emit('d')).toBeDefined();
    await at.emissions.commit();
    expect(await at.names()).toEqual(['a', 'b', 'd']);
  });

  it('counts what nested runs hold', async () => {
    await using at = await lab({ buffer: { capacity: 2 } });
    await at.emissions.run(async () => {
      at.emissions.emit('a');
      await at.emissions.run(() => at.emissions.emit('b'));
      expect(() => at.emissions.emit('c')).toThrow(BufferFullError);
    });
    expect(await at.names()).toEqual(['a', 'b']);
  });
});

it.each([[undefined], [null], [42], [{}], [class Unmarked {}]])(
  'what is no emission is refused at the caller: %p',
  async (value) => {
    await using at = await lab();
    at.emissions.start();
    expect(() => at.emissions.emit(value as object)).toThrow(InvalidEmissionError);
    expect(await at.emissions.commit()).toBe(0);
  },
);

describe('settled', () => {
  it('waits as long as it takes with a time-out that no timer has', async () => {
    const held = new HeldAdapter();
    await using at = await lab();
    at.emissions.addAdapter('held', held);
    await at.emissions.run(() => at.emissions.emit('a'));
    let isSettled = false;
    const settled = at.emissions.settled({ timeoutMs: Infinity }).then(() => (isSettled = true));
    keepBusy(5);
    await rounds();
    expect(isSettled).toBe(false);
    await until(() => held.running === 1);
    held.release();
    await settled;
  });

  it.each([{ timeoutMs: NaN }, { timeoutMs: '5' }, { timeoutMs: -1 }, { timeout: 5 }, 5000])(
    'refuses %j, and says what it takes',
    async (options) => {
      await using at = await lab();
      const settled = at.emissions.settled(options as never);
      await expect(settled).rejects.toThrow(ConfigurationError);
      await expect(settled).rejects.toThrow(/settled takes \{ timeoutMs \}, milliseconds of 0/);
    },
  );
});

describe('a buffer that has ended', () => {
  it('is what a commit or a flush that comes too late is told of', async () => {
    await using at = await lab();
    at.emissions.start();
    await at.emissions.commit();
    await expect(at.emissions.commit()).rejects.toThrow(/came after its buffer was committed/);
    at.emissions.start();
    at.emissions.terminate();
    await expect(at.emissions.flush()).rejects.toThrow(/came after its buffer was terminated/);
  });
});
