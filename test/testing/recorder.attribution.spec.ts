import { AsyncResource } from 'node:async_hooks';
import { get } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import { Controller, Get, Injectable, Param, Post, UseInterceptors } from '@nestjs/common';
import { ConfigurationError, Emissions, EmissionsInterceptor, OnEmission } from 'nestjs-emissions';
import { ExpectationError, type EmissionRecorder } from 'nestjs-emissions/testing';
import { recorded, type Recorded } from '../support/recorded.js';
import { nextRound } from '../support/until.js';

@Injectable()
class Follower {
  constructor(private readonly emissions: Emissions) {}

  @OnEmission('begun')
  async follow({ of }: { of: string }) {
    await nextRound();
    this.emissions.emit('followed', { of });
  }

  @OnEmission('timed')
  wait({ of }: { of: string }) {
    // In a unit of work that nobody waits for.
    setImmediate(() => void this.emissions.run(() => this.emissions.emit('later', { of })));
  }
}

@Controller()
@UseInterceptors(EmissionsInterceptor)
class Desk {
  constructor(private readonly emissions: Emissions) {}
  @Post('orders/:of')
  async place(@Param('of') of: string) {
    await nextRound();
    this.emissions.emit('begun', { of });
  }
  @Get('headers')
  read() {
    return this.emissions.run(() => void this.emissions.emit('read', { of: 'get' }));
  }
}

const desk = { providers: [Follower], controllers: [Desk] };

const seen = (recorder: EmissionRecorder) =>
  recorder.all().map(({ name, payload }) => `${name} ${(payload as { of: string }).of}`);

async function emitLater(app: Recorded, name: string, of: string): Promise<void> {
  await nextRound();
  await app.emissions.run(() => app.emissions.emit(name, { of }));
}

describe('two tests in parallel on one application', () => {
  it('do not see each other’s emissions, those of handlers and of timers included', async () => {
    await using app = await recorded('default', desk);
    const test = (of: string) =>
      app.recorder.run(async (recorder) => {
        await Promise.all([emitLater(app, 'begun', of), emitLater(app, 'timed', of)]);
        await app.recorder.next('followed');
        await app.recorder.next('later');
        return seen(recorder).sort();
      });
    const [ada, bob] = await Promise.all([test('ada'), test('bob')]);
    expect(ada).toEqual(['begun ada', 'followed ada', 'later ada', 'timed ada']);
    expect(bob).toEqual(['begun bob', 'followed bob', 'later bob', 'timed bob']);
    expect(app.recorder.all()).toEqual([]);
  });

  it('have a mode each, and each is verified at its end', async () => {
    await using app = await recorded('default', desk);
    const strict = app.recorder.run(() => emitLater(app, 'a', 'strict'), { mode: 'strict' });
    const inline = app.recorder.run(
      async () => {
        await emitLater(app, 'begun', 'inline');
        return app.recorder.mode;
      },
      { mode: 'inline' },
    );
    await expect(strict).rejects.toThrow(ExpectationError);
    expect(await inline).toBe('inline');
    expect(app.recorder.mode).toBe('default');
  });

  it('keep what their HTTP requests bring about apart, sent by fetch or node:http', async () => {
    await using app = await recorded('default', desk, {}, { listen: true });
    const url = await app.app.getUrl();
    const test = (of: string) =>
      app.recorder.run(async () => {
        for (let i = 0; i < 3; i++) await fetch(`${url}/orders/${of}`, { method: 'POST' });
        await app.emissions.settled();
        return new Set(seen(app.recorder).map((each) => each.split(' ')[1]));
      });
    const reading = app.recorder.run(async () => {
      await new Promise((resolve) => {
        get(`${url}/headers`, (response) => response.resume().once('end', resolve));
      });
      return seen(app.recorder);
    });
    const results = await Promise.all([test('ada'), test('bob'), reading]);
    expect(results).toEqual([new Set(['ada']), new Set(['bob']), ['read get']]);
    await fetch(`${url}/orders/nobody`, { method: 'POST' });
    await app.emissions.settled();
    expect(seen(app.recorder)).toContain('begun nobody');
  });

  it('hear streams for themselves: what a subscriber does belongs to the test it was told of', async () => {
    await using app = await recorded('default');
    app.emissions.stream('asked').subscribe(({ payload }) => {
      void emitLater(app, 'answered', (payload as { of: string }).of);
    });
    const test = (of: string) =>
      app.recorder.run(async () => {
        await emitLater(app, 'asked', of);
        return (await app.recorder.next('answered')).payload;
      });
    const answers = await Promise.all([test('ada'), test('bob')]);
    expect(answers).toEqual([{ of: 'ada' }, { of: 'bob' }]);
  });
});

describe('work outside a test', () => {
  it('reaches it only once it was allowed', async () => {
    await using app = await recorded('default');
    const outside = new AsyncResource('worker');
    const work = () => emitLater(app, 'worked', 'worker');
    await app.recorder.run(async (recorder) => {
      await outside.runInAsyncScope(work);
      expect(seen(recorder)).toEqual([]);
      await outside.runInAsyncScope(recorder.allow(work));
      expect(seen(recorder)).toEqual(['worked worker']);
    });
    expect(seen(app.recorder)).toEqual(['worked worker']);
  });

  it('can be allowed on behalf of a test by somebody else, who names the test', async () => {
    await using app = await recorded('default');
    const outside = new AsyncResource('worker');
    await app.recorder.run(async (recorder) => {
      const starter = () => recorder.allow(() => emitLater(app, 'worked', 'worker'));
      const work = outside.runInAsyncScope(starter);
      await outside.runInAsyncScope(work);
      expect(seen(app.recorder)).toEqual(['worked worker']);
    });
    expect(seen(app.recorder)).toEqual([]);
  });

  it('keeps its arguments, its result and what it is called on', () => {
    return recorded('default').then(async (app) => {
      const worker = {
        name: 'w',
        tick: app.recorder.allow(function (this: { name: string }, n: number) {
          return `${this.name}${n}`;
        }),
      };
      expect(worker.tick(1)).toBe('w1');
      await app.app.close();
    });
  });

  it('can be adopted by what its emissions hold', async () => {
    await using app = await recorded('default', {}, { tenancy: { key: 'org' } });
    const outside = new AsyncResource('worker');
    const work = (org: string) =>
      app.emissions.run(() => app.emissions.emit('worked', { of: org }), { metadata: { org } });
    await app.recorder.run(async (recorder) => {
      recorder.allow({ tenant: 'org-7' });
      await outside.runInAsyncScope(() => work('org-7'));
      await outside.runInAsyncScope(() => work('org-8'));
      expect(seen(recorder)).toEqual(['worked org-7']);
    });
    await work('org-7');
    expect(seen(app.recorder)).toEqual(['worked org-8', 'worked org-7']);
  });

  it('is not adopted from a test that caused it', async () => {
    await using app = await recorded('default');
    await Promise.all([
      app.recorder.run(async (recorder) => {
        recorder.allow({ correlationId: 'job-1' });
        await nextRound();
        await nextRound();
        expect(seen(recorder)).toEqual([]);
      }),
      app.recorder.run((recorder) =>
        app.emissions
          .run(() => app.emissions.emit('a', { of: 'b' }), { correlationId: 'job-1' })
          .then(() => expect(seen(recorder)).toEqual(['a b'])),
      ),
    ]);
  });

  it.each([[{}], [null], ['org-7']])('is not allowed by %j', async (context) => {
    await using app = await recorded('default');
    expect(() => app.recorder.allow(context as object)).toThrow(ConfigurationError);
  });
});

describe('teardown code', () => {
  it('can read what is pending in a test, from another context', async () => {
    await using app = await recorded('strict');
    let own: EmissionRecorder | undefined;
    const test = app.recorder.run(async (recorder) => {
      own = recorder;
      await emitLater(app, 'a', 'b');
      throw new Error('the test failed');
    });
    await expect(test).rejects.toThrow('the test failed');
    expect(own!.unasserted().map(({ name }) => name)).toEqual(['a']);
    expect(app.recorder.unasserted()).toEqual([]);
  });
});
