import { describe, expect, it } from '@jest/globals';
import { Injectable, Scope, type Provider } from '@nestjs/common';
import { Buffered, ConfigurationError, Emissions, Unbuffered } from 'nestjs-emissions';
import { lab } from '../support/lab.js';

class Jobs {
  constructor(private emissions: Emissions) {}

  @Buffered()
  async work(name: string, fails = false): Promise<string> {
    this.emissions.emit(name);
    if (fails) throw new Error('no');
    return name;
  }

  @Unbuffered()
  aside(name: string) {
    return this.emissions.emit(name);
  }

  /** Works for another application from now on. */
  turnTo(emissions: Emissions): void {
    this.emissions = emissions;
  }
}

const inject = [Emissions];

describe('A method that is marked @Buffered', () => {
  it.each<[string, Provider]>([
    ['a factory', { provide: Jobs, useFactory: (e: Emissions) => new Jobs(e), inject }],
    [
      'an asynchronous factory',
      { provide: Jobs, useFactory: async (e: Emissions) => new Jobs(e), inject },
    ],
    [
      'a factory, and is frozen,',
      { provide: Jobs, useFactory: (e: Emissions) => Object.freeze(new Jobs(e)), inject },
    ],
    [
      'a factory of a subclass',
      { provide: Jobs, useFactory: (e: Emissions) => new (class extends Jobs {})(e), inject },
    ],
  ])('of an instance that %s provides commits when it succeeds', async (_, provider) => {
    await using at = await lab({}, [provider, { provide: 'alias', useExisting: Jobs }]);
    const jobs = at.get(Jobs);
    expect(await jobs.work('a')).toBe('a');
    await expect(jobs.work('b', true)).rejects.toThrow('no');
    await at.emissions.run(async () => {
      at.emissions.emit('c');
      await Promise.allSettled([jobs.work('d', true)]);
      expect(jobs.aside('e')).toBeUndefined();
    });
    expect(await at.names()).toEqual(['a', 'c']);
  });

  it('of an instance that a value provides commits when it succeeds', async () => {
    const jobs = new Jobs(undefined as never);
    await using at = await lab({}, [{ provide: Jobs, useValue: jobs }]);
    jobs.turnTo(at.emissions);
    await jobs.work('a');
    await expect(jobs.work('b', true)).rejects.toThrow('no');
    expect(await at.names()).toEqual(['a']);
  });

  it('of the instances that a transient factory provides commits when it succeeds', async () => {
    @Injectable()
    class User {
      constructor(readonly jobs: Jobs) {}
    }
    await using at = await lab({}, [
      {
        provide: Jobs,
        scope: Scope.TRANSIENT,
        useFactory: (emissions: Emissions) => new Jobs(emissions),
        inject,
      },
      User,
    ]);
    await at.get(User).jobs.work('a');
    expect(await at.names()).toEqual(['a']);
  });
});

describe('An instance with marked methods', () => {
  const shared = async () => {
    const jobs = new Jobs(undefined as never);
    const provider = { provide: Jobs, useValue: jobs };
    return { jobs, one: await lab({}, [provider]), two: await lab({}, [provider]) };
  };
  const factory = { provide: Jobs, useFactory: (e: Emissions) => new Jobs(e), inject };

  it('belongs to the application whose factory made it', async () => {
    await using one = await lab({}, [factory]);
    await using two = await lab({}, [factory]);
    await Promise.all([one.get(Jobs).work('one'), two.get(Jobs).work('two')]);
    expect([await one.names(), await two.names()]).toEqual([['one'], ['two']]);
  });

  it('that two applications share works for the one whose unit of work calls it', async () => {
    const { jobs, one, two } = await shared();
    for (const at of [one, two]) {
      jobs.turnTo(at.emissions);
      // oxlint-disable-next-line no-await-in-loop
      await at.emissions.run(() => jobs.work(at === one ? 'one' : 'two'));
    }
    expect([await one.names(), await two.names()]).toEqual([['one'], ['two']]);
    await Promise.all([one, two].map((at) => at[Symbol.asyncDispose]()));
  });

  it('that two applications share is refused when neither calls it, and says how to mend that', async () => {
    const { jobs, one, two } = await shared();
    const call = () => jobs.work('a');
    expect(call).toThrow(ConfigurationError);
    expect(call).toThrow(
      /^Jobs\.work is marked .* 2 applications .* Give each an instance of its own/,
    );
    await one[Symbol.asyncDispose]();
    jobs.turnTo(two.emissions);
    await call();
    expect(await two.names()).toEqual(['a']);
    await two[Symbol.asyncDispose]();
  });

  it('that Nest has built for one application, and another shares, works for the first outside of any', async () => {
    @Injectable()
    class Built extends Jobs {
      constructor(emissions: Emissions) {
        super(emissions);
      }
    }
    await using one = await lab({}, [Built]);
    await using two = await lab({}, [{ provide: Built, useValue: one.get(Built) }]);
    await two.get(Built).work('a');
    expect([await one.names(), await two.names()]).toEqual([['a'], []]);
  });

  it('refuses to commit when its application has closed', async () => {
    const at = await lab({}, [factory]);
    const jobs = at.get(Jobs);
    await at[Symbol.asyncDispose]();
    await expect(jobs.work('late')).rejects.toThrow(/closing/);
  });

  it('is just called, as without decorators, when no module provides it', async () => {
    await using at = await lab();
    const jobs = new Jobs(at.emissions);
    expect(await jobs.work('a')).toBe('a');
    expect(await at.names()).toEqual([]);
  });
});
