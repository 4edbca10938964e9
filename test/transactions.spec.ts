import { PGlite } from '@electric-sql/pglite';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { EmissionsModule, type TransactionSource } from 'nestjs-emissions';
import { fromPglite } from 'nestjs-emissions/durable';
import { Pipeline } from '../lib/pipeline/pipeline.js';
import { HeldAdapter } from './support/adapters.js';
import { start, type RunningApp } from './support/app.js';
import { rounds, until } from './support/until.js';

const CAPACITY = 2;

/** An application whose adapter takes one emission at a time, and has room for two. */
async function withHeldAdapter() {
  const held = new HeldAdapter();
  const consumer = { capacity: CAPACITY, batchSize: 1 };
  const running: RunningApp = await start({
    imports: [EmissionsModule.forRoot({ adapters: [{ name: 'held', useValue: held, consumer }] })],
  });
  const { emissions, app } = running;
  const [served] = app.get(Pipeline, { strict: false }).consumers;
  const letAllGo = async (): Promise<void> => {
    await until(() => {
      held.release();
      return served!.pending === 0;
    });
  };
  return {
    held,
    emissions,
    served: served!,
    letAllGo,
    /** Leaves no room. */
    fill: () => emissions.run(() => ['first', 'second'].map((name) => emissions.emit(name))),
    [Symbol.asyncDispose]: async () => {
      await letAllGo();
      await running.close();
    },
  };
}

describe('A transaction', () => {
  let database: PGlite;
  let source: TransactionSource<any>;

  beforeAll(async () => {
    database = await PGlite.create();
    await database.exec('CREATE TABLE rows (id int PRIMARY KEY)');
    source = fromPglite(database);
  }, 30_000);
  beforeEach(() => database.exec('DELETE FROM rows'));
  afterAll(() => database.close());

  it.each(['rolls back', 'begins again'])(
    'that %s gives its room back, also that of a flush which nobody waited for',
    async (end) => {
      await using lab = await withHeldAdapter();
      const { emissions, served } = lab;
      await lab.fill();
      let flushed: Promise<unknown> | undefined;
      let attempts = 0;
      const work = emissions.transaction(
        end === 'rolls back' ? source : retried(source),
        async () => {
          if (++attempts === 2) return 'done';
          emissions.emit('undone');
          flushed = emissions.flush().catch((error: unknown) => error);
          throw new Error('conflict');
        },
      );
      const ended = await work.catch((error: unknown) => error);
      await lab.letAllGo();

      expect(ended).toEqual(end === 'rolls back' ? new Error('conflict') : 'done');
      expect(await flushed).toMatchObject({ code: 'EMISSIONS_TRANSACTION_OVER' });
      expect([lab.held.names, served.room]).toEqual([['first', 'second'], CAPACITY]);
    },
  );

  it('hands over nothing that a savepoint took back, also when its flush ends later', async () => {
    await using lab = await withHeldAdapter();
    const { emissions, served } = lab;
    await lab.fill();
    let flushed: Promise<unknown> | undefined;
    await emissions.transaction(source, async () => {
      const inner = emissions.transaction(source, async () => {
        emissions.emit('undone');
        flushed = emissions.flush().catch((error: unknown) => error);
        throw new Error('inner');
      });
      await expect(inner).rejects.toThrow('inner');
      await lab.letAllGo();
      await flushed;
      emissions.emit('done');
    });
    await lab.letAllGo();

    expect(await flushed).toMatchObject({ code: 'EMISSIONS_TRANSACTION_OVER' });
    expect([lab.held.names, served.room]).toEqual([['first', 'second', 'done'], CAPACITY]);
  });

  it('waits for the flush of a savepoint that succeeded', async () => {
    await using lab = await withHeldAdapter();
    const { emissions } = lab;
    await lab.fill();
    const work = emissions.transaction(source, () =>
      emissions.transaction(source, () => {
        emissions.emit('kept');
        void emissions.flush();
      }),
    );
    await rounds();
    await lab.letAllGo();
    await work;
    await lab.letAllGo();

    expect(lab.held.names).toEqual(['first', 'second', 'kept']);
  });

  it('that begins again hands over what its last attempt emitted, once', async () => {
    await using lab = await withHeldAdapter();
    const { emissions, served } = lab;
    let attempts = 0;
    await emissions.transaction(retried(source), async () => {
      emissions.emit(`of.attempt.${++attempts}`);
      await emissions.flush();
      expect(served.room).toBe(CAPACITY - 1);
      if (attempts === 1) throw new Error('conflict');
    });
    await lab.letAllGo();

    expect([lab.held.names, served.room]).toEqual([['of.attempt.2'], CAPACITY]);
  });

  it('fails, and hands over nothing, when the database rolls it back since a statement in it has failed', async () => {
    await using lab = await withHeldAdapter();
    const { emissions, served } = lab;
    const work = emissions.transaction(source, async (tx) => {
      emissions.emit('undone');
      await tx.query('INSERT INTO rows VALUES (1)');
      await tx.query('INSERT INTO rows VALUES (1)').catch(() => {});
    });
    await expect(work).rejects.toThrow('current transaction is aborted');
    await lab.letAllGo();

    expect([lab.held.names, served.room]).toEqual([[], CAPACITY]);
    expect((await database.query('SELECT id FROM rows')).rows).toEqual([]);
  });
});

/** Begins again when a transaction fails, once, as data layers do after a conflict. */
function retried(source: TransactionSource<any>): TransactionSource<any> {
  return {
    source: source.source,
    begin: (work) => source.begin(work).catch(() => source.begin(work)),
  };
}
