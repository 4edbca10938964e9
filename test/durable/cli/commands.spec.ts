import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { EmissionsModule, OnEmission, type Emission } from 'nestjs-emissions';
import {
  DurableDeliveries,
  EmissionsDurableModule,
  type DurableOptions,
} from 'nestjs-emissions/durable';
import { start, type RunningApp } from '../../support/app.js';
import { nestjsEmissions, type Outcome } from '../../support/command-line.js';
import { DATABASE_URL, postgres } from '../../support/databases.js';
import { temporaryFolder } from '../../support/folders.js';
import { listen } from '../../support/signals.js';
import { until } from '../../support/until.js';

interface Step {
  readonly key: string;
  readonly n: number;
}

@Injectable()
class Handlers {
  readonly done: string[] = [];
  fails: (step: Step) => boolean = () => false;

  @OnEmission('step', { durable: true, id: 'strict', maxAttempts: 2, retry: { backoffMs: 1 } })
  strict(step: Step): void {
    this.#take(step);
  }

  @OnEmission('step.lax', { durable: true, id: 'lax', maxAttempts: 1, onDead: 'skip' })
  lax(step: Step): void {
    this.#take(step);
  }

  #take(step: Step): void {
    if (this.fails(step)) throw new Error(`not ${step.key}:${step.n}\nnow \u001b[31m`);
    this.done.push(`${step.key}:${step.n}`);
  }
}

/** Where deliveries are, and how the command line is told. */
interface Place extends AsyncDisposable {
  readonly options: Partial<DurableOptions>;
  run(...args: string[]): Promise<Outcome>;
}

const places: [string, () => Promise<Place>][] = [
  [
    'PGlite',
    async () => {
      const folder = temporaryFolder();
      return {
        options: { embedded: folder.path, pollMs: 50, heartbeatMs: 1_000 },
        run: (command, ...args) =>
          nestjsEmissions([command!, ...args, '--embedded', folder.path], { DATABASE_URL: 'none' }),
        [Symbol.asyncDispose]: async () => folder[Symbol.dispose](),
      };
    },
  ],
];
if (DATABASE_URL !== undefined) {
  places.push([
    'PostgreSQL',
    async () => {
      const database = await postgres();
      return {
        options: database.options,
        run: (...args) =>
          nestjsEmissions([...args, '--schema', database.schema], { DATABASE_URL: DATABASE_URL! }),
        [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
      };
    },
  ]);
}

describe.each(places)('nestjs-emissions on %s', (name, make) => {
  let place: Place;
  /** Much is the same everywhere, and an embedded database takes seconds to open. */
  const inDetail = name === 'PostgreSQL' || DATABASE_URL === undefined;

  beforeEach(async () => {
    place = await make();
  });

  afterEach(async () => {
    await place[Symbol.asyncDispose]();
  });

  async function working<T>(
    fails: Handlers['fails'],
    work: (app: RunningApp, handlers: Handlers) => Promise<T>,
  ): Promise<T> {
    await using running = await start({
      imports: [EmissionsModule.forRoot(), EmissionsDurableModule.forRoot(place.options)],
      providers: [Handlers],
    });
    const handlers = running.app.get(Handlers);
    handlers.fails = fails;
    return await work(running, handlers);
  }

  /** Emissions of a key, the first of which is dead by then, while the application is gone. */
  async function dead(name: string, key: string, tenant?: string): Promise<Emission[]> {
    using log = listen('emissions:delivery:dead');
    return await working(
      ({ n }) => n === 0,
      async ({ emissions }) => {
        const emitted: Emission[] = [];
        await emissions.run(() => {
          for (const n of [0, 1, 2])
            emitted.push(emissions.emit(name, { key, n }, {}, { key, ...(tenant && { tenant }) })!);
        });
        await until(() => log.all.length === 1);
        return emitted;
      },
    );
  }

  it('makes the tables, which an application then finds', async () => {
    const made = await place.run('migrate', '--json');
    expect(made).toMatchObject({ code: 0, error: '' });
    expect(JSON.parse(made.out)).toEqual({
      schema: expect.any(String),
      now: expect.any(Number),
    });
    const again = await place.run('migrate');
    expect(again.out).toMatch(
      /^The tables of durable deliveries in the schema '\w+' are of version \d+ already\.$/,
    );
    expect(await place.run('status')).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^The schema '\w+' knows no durable handler yet\.$/),
    });
    place = { ...place, options: { ...place.options, migrate: false } };
    const done = await working(
      () => false,
      async ({ emissions }, handlers) => {
        await emissions.run(() => void emissions.emit('step', { key: 'a', n: 1 }));
        await until(() => handlers.done.length === 1);
        return handlers.done;
      },
    );
    expect(done).toEqual(['a:1']);
  }, 60_000);

  it('lets a dead one run again, before those that wait behind it', async () => {
    const [first] = (await dead('step', 'a')) as [Emission];
    expect(await place.run('retry', first.id)).toEqual({
      code: 0,
      out: 'Retried 1 of strict.',
      error: '',
    });
    const again = await place.run('discard', first.id, '--json');
    expect(again).toMatchObject({
      code: 1,
      error: `nestjs-emissions: No dead delivery is there of ${first.id}.`,
    });
    expect(JSON.parse(again.out)).toEqual({ discarded: [], missing: [first.id] });
    const done = await working(
      () => false,
      async (_, handlers) => {
        await until(() => handlers.done.length === 3);
        return handlers.done;
      },
    );
    expect(done).toEqual(['a:0', 'a:1', 'a:2']);
  }, 60_000);

  (inDetail ? describe : () => {})('in detail', () => {
    it('shows how much there is, and what is dead', async () => {
      const [first, second] = (await dead('step', 'a\u001b[1m', 'org-1')) as [Emission, Emission];
      const status = await place.run('status');
      expect(status.error).toBe('');
      expect(status.out.split('\n')).toEqual([
        'HANDLER  WAITING  DELAYED  RUNNING  DEAD  BLOCKED KEYS  OLDEST',
        'lax            0        0        0     0             0  -',
        expect.stringMatching(/^strict {9}2 {8}0 {8}0 {5}1 {13}1 {2}\d+ s$/),
      ]);
      const json = JSON.parse((await place.run('status', '--json', '--handler', 'strict')).out);
      expect(json).toMatchObject([{ handler: 'strict', waiting: 2, running: 0, dead: 1 }]);
      const ofOne = await place.run('status', first.id);
      expect(ofOne.out).toMatch(/^HANDLER .*\nstrict +dead +2\/2 .*Error: not a/);
      expect((await place.run('status', second.id)).out).toMatch(/strict +waiting +0\/2 .* due /);

      const failed = await place.run('failed');
      const [heading, row, ...more] = failed.out.split('\n');
      expect(heading).toMatch(
        /^ID +HANDLER +EMISSION +TENANT +KEY +ATTEMPTS +DEAD SINCE +LAST ERROR$/,
      );
      expect(row).toMatch(new RegExp(`^${first.id} +strict +step +org-1 +a \\[1m +2/2 `));
      expect(row).toMatch(/Error: not a \[1m:0 now \[31m$/);
      expect([more, failed.out.includes('\u001b')]).toEqual([[], false]);
      const found = JSON.parse((await place.run('failed', '--tenant', 'org-1', '--json')).out);
      expect(found).toMatchObject([
        {
          id: first.id,
          handler: 'strict',
          key: 'a\u001b[1m',
          errors: [{ attempt: 1 }, { attempt: 2 }],
        },
      ]);
      expect((await place.run('failed', '--tenant', 'org-2')).out).toBe('None is dead.');
      expect((await place.run('failed', '--limit', '1')).out).toContain('--limit shows more');
      const inFull = await place.run('failed', first.id.toUpperCase());
      expect(inFull).toMatchObject({ code: 0, error: '' });
      expect(inFull.out).toMatch(/ {2}attempt 1, .*\n {4}Error: not a.*\n[^]* {2}attempt 2, /);
      expect(inFull.out).not.toContain('\u001b');
    }, 60_000);

    it('gives a dead one up, and what waits behind it goes on', async () => {
      const [first] = (await dead('step', 'a', 'org-1')) as [Emission];
      expect((await place.run('discard', '--tenant', 'org-2')).out).toBe('Discarded none.');
      const discarded = await place.run('discard', '--handler', 'strict', '--json');
      expect(JSON.parse(discarded.out)).toEqual({
        discarded: [{ id: first.id, handler: 'strict' }],
        missing: [],
      });
      expect((await place.run('status', first.id)).out).toMatch(/strict +discarded/);
      const done = await working(
        () => false,
        async (_, handlers) => {
          await until(() => handlers.done.length === 2);
          return handlers.done;
        },
      );
      expect(done).toEqual(['a:1', 'a:2']);
    }, 60_000);

    it('lets those run again that others have passed by', async () => {
      await dead('step.lax', 'a');
      const all = await place.run('retry', '--all');
      expect(all).toEqual({ code: 0, out: 'Retried 1 of lax.', error: '' });
      await working(
        () => false,
        async ({ app }, handlers) => {
          await until(() => handlers.done.includes('a:0'));
          expect(await app.get(DurableDeliveries).failed()).toEqual([]);
        },
      );
    }, 60_000);

    it('names the handlers there are, and the id that nothing is known of', async () => {
      await working(
        () => false,
        async () => {},
      );
      expect(await place.run('failed', '--handler', 'none')).toEqual({
        code: 1,
        out: '',
        error: "nestjs-emissions: There is no durable handler 'none'. There are: lax, strict.",
      });
      const id = '01997f3e-8b1a-7c54-9d2e-5f6a7b8c9d0e';
      expect(await place.run('status', id)).toEqual({
        code: 1,
        out: '',
        error: `nestjs-emissions: Nothing is stored, any more, of ${id}.`,
      });
    }, 60_000);
  });

  if (name === 'PGlite') {
    it('keeps away from a folder that an application uses', async () => {
      await working(
        () => false,
        async () => {
          expect(await place.run('status')).toMatchObject({
            code: 1,
            error: expect.stringContaining(`is in use by process ${process.pid}`),
          });
        },
      );
    }, 60_000);
  }
});
