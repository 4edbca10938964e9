import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { EmissionsModule, OnEmission, type Emission, type HandlerContext } from 'nestjs-emissions';
import {
  DurableDeliveries,
  EmissionsDurableModule,
  type DurableOptions,
} from 'nestjs-emissions/durable';
import { PgBoss } from 'pg-boss';
import { start, type RunningApp } from '../support/app.js';
import { DATABASE_URL, DATABASES, postgres, type TestDatabase } from '../support/databases.js';
import { listen } from '../support/signals.js';
import { until } from '../support/until.js';

@Injectable()
class Handlers {
  readonly began: { readonly payload: unknown; readonly context: HandlerContext }[] = [];
  release: () => void = () => {};

  @OnEmission('work', { durable: true, id: 'work', concurrency: 1, maxAttempts: 2 })
  work(payload: unknown, _: Emission, context: HandlerContext): Promise<void> | void {
    this.began.push({ payload, context });
    if (payload === 'held') return new Promise((resolve) => (this.release = resolve));
    if (payload === 'fails') throw new Error('no');
  }
}

const application = (options: Partial<DurableOptions>): Promise<RunningApp> =>
  start({
    imports: [EmissionsModule.forRoot(), EmissionsDurableModule.forRoot(options)],
    providers: [Handlers],
  });
const emit = ({ emissions }: RunningApp, ...payloads: string[]) =>
  emissions.run(() => {
    for (const payload of payloads) emissions.emit('work', payload);
  });
const begun = ({ app }: RunningApp) => app.get(Handlers).began;

describe.each(DATABASES)('A process of durable handlers on %s', (_, makeDatabase) => {
  let database: TestDatabase;

  beforeEach(async () => {
    database = await makeDatabase();
  }, 60_000);

  afterEach(async () => {
    await database[Symbol.asyncDispose]();
  });

  const states = async () => {
    const rows = await database.query(
      `SELECT data->'emission'->>'payload' AS payload, state::text, retry_count FROM ${database.schema}.job ORDER BY created_on`,
    );
    return rows.map(({ payload, state, retry_count: count }) => `${payload} ${state} ${count}`);
  };

  it('works nothing off when it is no worker, and cannot be made to; another one does', async () => {
    await using web = await application({ ...database.options, worker: false });
    await emit(web, 'a');
    expect(() => web.app.get(DurableDeliveries).resume('work')).toThrow(
      'This process has the option worker: false, and works nothing off; work cannot be resumed in it.',
    );
    await using worker = await application(database.options);
    await until(() => begun(worker).length === 1);
    expect(begun(web)).toEqual([]);
    const [stats] = await web.app.get(DurableDeliveries).stats();
    expect(stats).toMatchObject({ handler: 'work', isKnown: true, isWorking: false });
  }, 30_000);

  it('waits for what it has begun when it closes, and gives the rest back untouched', async () => {
    const running = await application(database.options);
    await emit(running, 'held', 'b', 'c');
    await until(() => begun(running).length === 1);
    const closed = running.close();
    running.app.get(Handlers).release();
    await closed;
    expect(begun(running)).toHaveLength(1);
    expect(await states()).toEqual(['held completed 0', 'b created 0', 'c created 0']);
  }, 30_000);

  it('takes up again what it was told to while it was still pausing', async () => {
    await using running = await application(database.options);
    const deliveries = running.app.get(DurableDeliveries);
    const paused = deliveries.pause('work');
    deliveries.resume('work');
    await paused;
    await emit(running, 'a');
    await until(() => begun(running).length === 1);
    const [stats] = await deliveries.stats();
    expect(stats).toMatchObject({ handler: 'work', isWorking: true });
  }, 30_000);

  it('is one and the same when it starts again, whatever its handlers are called', async () => {
    @Injectable()
    class Named {
      readonly taken: unknown[] = [];
      @OnEmission('work', { durable: true, id: 'a/keyed' })
      take(payload: unknown): void {
        this.taken.push(payload);
      }
    }
    const named = (): Promise<RunningApp> =>
      start({
        imports: [EmissionsModule.forRoot(), EmissionsDurableModule.forRoot(database.options)],
        providers: [Named],
      });
    await (await named()).close();
    await using again = await named();
    await emit(again, 'a');
    await until(() => again.app.get(Named).taken.length === 1);
    const [stats] = await again.app.get(DurableDeliveries).stats();
    expect(stats).toMatchObject({ handler: 'a/keyed', isKnown: true });
  }, 30_000);

  it('gives up what does not end in time, which is told so and runs again elsewhere', async () => {
    const running = await application({ ...database.options, drainTimeoutMs: 20 });
    await emit(running, 'held');
    await until(() => begun(running).length === 1);
    await running.close();
    const { signal } = begun(running)[0]!.context;
    expect([signal.aborted, signal.reason.name]).toEqual([true, 'ShutdownError']);
    await using other = await application(database.options);
    await until(() => begun(other).length === 1);
    expect(begun(other)[0]!.context.attempt).toBe(2);
    other.app.get(Handlers).release();
  }, 30_000);
});

const onPostgres = DATABASE_URL === undefined ? describe.skip : describe;

onPostgres('A process of durable handlers beside others', () => {
  it('leaves no connection behind when it closes as soon as it has started', async () => {
    await using database = await postgres();
    for (let time = 0; time < 6; time += 1) {
      // oxlint-disable-next-line no-await-in-loop -- closed while it is only about to be told of what is stored
      await (await application(database.options)).app.close();
    }
    const left = await database.query(
      `SELECT query FROM pg_stat_activity WHERE query LIKE 'LISTEN%${database.schema}%' AND pid <> pg_backend_pid()`,
    );
    expect(left).toEqual([]);
  }, 60_000);
});

onPostgres('What is done', () => {
  it('is deleted when it has been kept long enough; what is dead is kept', async () => {
    await using database = await postgres();
    const { schema } = database;
    const boss = new PgBoss({ connectionString: DATABASE_URL!, schema, schedule: false });
    await boss.start();
    using log = listen('emissions:delivery:completed', 'emissions:delivery:dead');
    const { connectionString: _, connections: __, ...others } = database.options;
    await using running = await application({ ...others, boss, keepMs: 5_000 });
    const deliveries = running.app.get(DurableDeliveries);
    await emit(running, 'done', 'fails', 'given up');
    await until(() => log.of('emissions:delivery:completed').length === 2, 20_000_000);
    await until(() => log.of('emissions:delivery:dead').length === 1, 20_000_000);
    // As if it had all been long ago.
    await database.query(
      `UPDATE ${schema}.job SET completed_on = completed_on - interval '1 year'`,
    );
    await boss.supervise('work');
    const rows = await database.query(
      `SELECT data->'emission'->>'payload' AS payload, state::text FROM ${schema}.job`,
    );
    expect(rows).toEqual([{ payload: 'fails', state: 'failed' }]);
    expect(await deliveries.failed()).toMatchObject([{ state: 'dead', attempts: 2 }]);
    await boss.stop({ graceful: false });
  }, 30_000);
});
