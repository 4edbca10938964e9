import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Controller,
  Get,
  HttpCode,
  Injectable,
  NotFoundException,
  Post,
  Scope,
  SetMetadata,
} from '@nestjs/common';
import { Buffered, ConfigurationError, Emissions, Unbuffered } from 'nestjs-emissions';
import { lab } from '../support/lab.js';
import { listen } from '../support/signals.js';
import { site, SITES, type Site } from '../support/site.js';

@Injectable()
class Jobs {
  readonly #done: string[] = [];
  constructor(readonly emissions: Emissions) {}

  @Buffered()
  work(name: string, fails = false): number | Promise<number> {
    this.emissions.emit(name);
    this.#done.push(name);
    if (fails) throw new Error('no');
    return this.#done.length;
  }

  @Unbuffered()
  aside(name: string) {
    return this.emissions.emit(name);
  }
}

/** Inherits a buffered method, and overrides another. */
@Injectable()
class MoreJobs extends Jobs {
  @Buffered()
  override async work(name: string, fails = false): Promise<number> {
    this.emissions.emit(`${name}.more`);
    await super.work(name, fails);
    return -1;
  }
}

@Injectable({ scope: Scope.REQUEST })
class RequestJobs extends Jobs {}

@Controller()
class Routes {
  constructor(
    private readonly emissions: Emissions,
    private readonly jobs: Jobs,
    private readonly own: RequestJobs,
  ) {}

  @Get('buffered')
  @Buffered()
  buffered() {
    this.emissions.emit('a');
    return {};
  }

  @Buffered()
  @Get('buffered/failing')
  failing() {
    this.emissions.emit('a');
    throw new NotFoundException();
  }

  @Post('missing')
  @Buffered({ shouldCommit: (status) => status === 404 })
  missing() {
    this.emissions.emit('a');
    throw new NotFoundException();
  }

  @Post('refused')
  @HttpCode(200)
  @Buffered({ shouldCommit: () => false })
  refused() {
    this.emissions.emit('a');
  }

  @Post('unbuffered')
  @Unbuffered()
  unbuffered() {
    return { taken: this.emissions.emit('a') !== undefined };
  }

  @Post('jobs')
  async many() {
    this.emissions.emit('before');
    await this.jobs.work('job');
    await this.own.work('own');
    await Promise.allSettled([this.own.work('failed', true)]);
    this.jobs.aside('aside');
    this.emissions.emit('after');
  }
}

const metadata = { controllers: [Routes], providers: [Jobs, RequestJobs, MoreJobs] };

describe.each(SITES)('on a route of %s with the %s', (server, integration) => {
  let at: Site;
  beforeAll(async () => {
    at = await site(server, integration, metadata);
  });
  beforeEach(() => {
    at.sink.batches.length = 0;
  });
  afterAll(() => at[Symbol.asyncDispose]());

  it.each([
    ['GET', '/buffered', 200, ['a']],
    ['HEAD', '/buffered', 200, ['a']],
    ['GET', '/buffered/failing', 404, []],
  ])(
    '@Buffered gives %s %s a buffer, ended by the status %i',
    async (method, path, status, names) => {
      expect((await at.ask(method, path)).status).toBe(status);
      expect(await at.names()).toEqual(names);
    },
  );

  it.each([
    ['/missing', 404, ['a']],
    ['/refused', 200, []],
  ])('@Buffered says for %s which statuses commit', async (path, status, names) => {
    expect((await at.post(path)).status).toBe(status);
    expect(await at.names()).toEqual(names);
  });

  it('@Unbuffered takes the buffer away', async () => {
    using log = listen('emissions:emission:dropped');
    expect((await at.post('/unbuffered')).text).toBe('{"taken":false}');
    expect(await at.names()).toEqual([]);
    expect(log.all.map(({ message }) => message.reason)).toEqual(['unbuffered']);
  });

  it('what is marked on providers is a savepoint, or leaves the buffer alone', async () => {
    using log = listen('emissions:emission:dropped', 'emissions:buffer:started');
    expect((await at.post('/jobs')).status).toBe(201);
    expect(await at.names()).toEqual(['before', 'job', 'own', 'after']);
    expect(log.all.map(({ message }) => message)).toEqual([
      { count: 1 },
      { reason: 'unbuffered', emission: 'aside', count: 1 },
    ]);
  });

  it('leaves no buffer behind', () => {
    expect(at.live).toBe(0);
  });
});

describe('on a route without interceptor and middleware', () => {
  it('@Buffered works as on any method: the answer waits for the commit', async () => {
    await using at = await site('express', 'none', metadata);
    expect((await at.ask('GET', '/buffered')).status).toBe(200);
    expect((await at.ask('GET', '/buffered/failing')).status).toBe(404);
    expect(await at.names()).toEqual(['a']);
    at.commits.refuse(new NotFoundException());
    expect((await at.ask('GET', '/buffered')).status).toBe(404);
    expect((await at.post('/missing')).status).toBe(404);
    expect(await at.names()).toEqual(['a']);
  });
});

describe('@Buffered on a provider', () => {
  it('commits when the method is done and discards when it throws; it gives a promise', async () => {
    await using at = await lab({}, [Jobs]);
    const jobs = at.get(Jobs);
    const done = jobs.work('a');
    expect(done).toBeInstanceOf(Promise);
    expect(await done).toBe(1);
    await expect(jobs.work('b', true)).rejects.toThrow('no');
    expect(await jobs.work('c')).toBe(3);
    expect(await at.names()).toEqual(['a', 'c']);
  });

  it('is inherited, and one within the other where both are marked', async () => {
    await using at = await lab({}, [MoreJobs]);
    using log = listen('emissions:buffer:started');
    const jobs = at.get(MoreJobs);
    expect(await jobs.work('a')).toBe(-1);
    await expect(jobs.work('b', true)).rejects.toThrow('no');
    expect(await at.names()).toEqual(['a.more', 'a']);
    expect(log.all).toHaveLength(2);
  });

  it('belongs to the application of its instance', async () => {
    await using one = await lab({}, [Jobs]);
    await using two = await lab({}, [Jobs]);
    await Promise.all([one.get(Jobs).work('one'), two.get(Jobs).work('two')]);
    expect([await one.names(), await two.names()]).toEqual([['one'], ['two']]);
  });

  it('just calls the method of an instance that belongs to none, as in a unit test', async () => {
    await using at = await lab();
    const jobs = new Jobs(at.emissions);
    expect(jobs.work('a')).toBe(1);
    expect(() => jobs.work('b', true)).toThrow('no');
    expect(await at.names()).toEqual([]);
  });

  it('leaves name, length and metadata of the method as they are', () => {
    class Marked {
      @Buffered()
      @SetMetadata('below', 1)
      async method(_a: string, _b: number) {}

      @SetMetadata('above', 2)
      @Buffered()
      async other() {}
    }
    const { method, other } = Marked.prototype;
    expect([method.name, method.length, other.name, other.length]).toEqual([
      'method',
      2,
      'other',
      0,
    ]);
    expect(Reflect.getMetadata('below', method)).toBe(1);
    expect(Reflect.getMetadata('above', other)).toBe(2);
  });

  it('refuses options that it does not have, naming the method', () => {
    const mark = (options: object) => () => {
      class Marked {
        @Buffered(options)
        method() {}
      }
      return Marked;
    };
    expect(mark({ commit: true })).toThrow(ConfigurationError);
    expect(mark({ commit: true })).toThrow(/^@Buffered on Marked\.method has no option "commit"/);
    expect(mark({ shouldCommit: 200 })).toThrow(/Marked\.method\.shouldCommit takes a function/);
  });
});

describe('@Unbuffered on a provider', () => {
  it('goes the way of the option unbuffered, and leaves the buffer around it alone', async () => {
    await using at = await lab({ unbuffered: 'deliver' }, [Jobs]);
    const run = at.emissions.run(() => {
      at.emissions.emit('a');
      expect(at.get(Jobs).aside('b')).toBeDefined();
      throw new Error('no');
    });
    await expect(run).rejects.toThrow('no');
    expect(await at.names()).toEqual(['b']);
  });
});
