import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { RemoteApplication } from '../support/cluster/remote-application.js';
import { DATABASE_URL, postgres, type TestDatabase } from '../support/databases.js';

const onPostgres = DATABASE_URL === undefined ? describe.skip : describe;

onPostgres('A handler that takes longer than its worker may be silent', () => {
  let database: TestDatabase;

  beforeEach(async () => {
    database = await postgres();
  });

  afterEach(async () => {
    await database[Symbol.asyncDispose]();
  });

  /** For how many heartbeats it has been at work, kept alive. */
  const heldFor = async (): Promise<number> => {
    const [row] = await database.query(
      `SELECT extract(epoch FROM heartbeat_on - started_on)::float8 / heartbeat_seconds AS beats
       FROM ${database.schema}.job WHERE name = 'hold' AND state = 'active'`,
    );
    return row?.['beats'] ?? 0;
  };

  it('keeps its delivery as long as it lives, and no other gets it', async () => {
    await using first = await RemoteApplication.start(database.options);
    await using second = await RemoteApplication.start(database.options);
    await first.commit({ emit: 'hold' });
    while ((await heldFor()) < 2.5);
    first.tell('release');
    second.tell('release');
    const both = () => [...first.all, ...second.all];
    while (both().every(({ kind, consumer }) => kind !== 'completed' || consumer !== 'effect')) {
      // oxlint-disable-next-line no-await-in-loop -- they work, and are asked
      await heldFor();
    }
    const runs = both().filter(({ kind, handler }) => kind === 'ran' && handler === 'hold');
    expect(runs).toMatchObject([{ attempt: 1 }]);
    expect(both().filter(({ kind }) => kind === 'failed' || kind === 'aborted')).toEqual([]);
  }, 30_000);

  it('loses it when it says nothing for that long, and cannot complete it when it comes back', async () => {
    await using late = await RemoteApplication.start(database.options);
    await late.commit({ emit: 'hold' });
    await late.hears('ran', { handler: 'hold' });
    // Its process stands still: nothing says any more that it is alive.
    late.signal('SIGSTOP');
    await using other = await RemoteApplication.start(database.options);
    await other.hears('ran', { handler: 'hold', attempt: 2 });

    late.signal('SIGCONT');
    await late.hears('aborted', { code: 'EMISSIONS_DELIVERY_LOST', attempt: 1 });
    late.tell('release');
    await late.hears('ended', { attempt: 1 });
    expect(late.of('failed')).toMatchObject([{ code: 'EMISSIONS_DELIVERY_LOST', attempt: 1 }]);

    other.tell('release');
    await other.hears('completed', { consumer: 'hold', attempt: 2 });
    const effects = () => [
      ...late.of('completed', { consumer: 'effect' }),
      ...other.of('completed', { consumer: 'effect' }),
    ];
    while (effects().length === 0) {
      // oxlint-disable-next-line no-await-in-loop
      await heldFor();
    }
    // What the late one emitted went with it.
    const ran = [
      ...late.of('ran', { handler: 'effect' }),
      ...other.of('ran', { handler: 'effect' }),
    ];
    expect(ran.map(({ payload }) => payload)).toEqual([2]);
    expect(late.of('completed', { consumer: 'hold' })).toEqual([]);
  }, 30_000);
});

onPostgres('Two versions of an application side by side', () => {
  let database: TestDatabase;

  beforeEach(async () => {
    database = await postgres();
  });

  afterEach(async () => {
    await database[Symbol.asyncDispose]();
  });

  const states = async () => {
    const rows = await database.query(
      `SELECT split_part(name, '/', 1) AS handler, data->'emission'->'payload'->>'id' AS id, state::text, retry_limit
       FROM ${database.schema}.job ORDER BY 1, 2`,
    );
    return rows.map(({ handler, id, state }) => `${handler} ${id} ${state}`);
  };

  it('each run what they know, and leave the rest to the other', async () => {
    await using old = await RemoteApplication.start(database.options, 'old');
    await using now = await RemoteApplication.start(database.options, 'new');
    for (let n = 0; n < 10; n++) {
      // oxlint-disable-next-line no-await-in-loop -- their order is that of the commits
      await old.commit({ order: `o-${n}`, amount: 5 });
      // oxlint-disable-next-line no-await-in-loop
      await now.commit({ order: `n-${n}`, amount: 700 });
    }
    const done = () => [...old.of('completed'), ...now.of('completed')];
    // What the one emits is owed to the handlers that it has: two each.
    while (done().length < 40) {
      // oxlint-disable-next-line no-await-in-loop -- they work, and the database is asked
      await states();
    }
    const rows = await states();
    expect(rows.filter((row) => !row.endsWith('completed'))).toEqual([]);
    const ofEach = (handler: string, id: string) =>
      Array.from({ length: 10 }, (_, n) => `${handler} ${id}-${n} completed`);
    expect(rows).toEqual([
      ...ofEach('added', 'n'),
      ...ofEach('invoice', 'n'),
      ...ofEach('invoice', 'o'),
      ...ofEach('retired', 'o'),
    ]);
    // None was run by who does not know it, and each that the new one ran was one of today's.
    expect([now.of('ran', { handler: 'retired' }), old.of('ran', { handler: 'added' })]).toEqual([
      [],
      [],
    ]);
    expect(old.of('ran').filter(({ payload }) => payload.id.startsWith('n'))).toEqual([]);
    for (const { payload, text } of now.of('ran')) {
      expect(text).toBe(payload.id.startsWith('n') ? '700 cents' : '500 cents');
    }
    const runs = [...old.of('ran'), ...now.of('ran')];
    expect(runs).toHaveLength(40);
    expect(runs.every(({ attempt }) => attempt === 1)).toBe(true);
  }, 60_000);

  it('the older one leaves alone what a newer one stored, says so, and what is behind it waits', async () => {
    await using now = await RemoteApplication.start({ ...database.options, worker: false }, 'new');
    await now.commit({ order: 'a', amount: 1 });
    await using old = await RemoteApplication.start(database.options, 'old');
    await old.hears('unknown', { reason: 'type', type: 'order.placed', consumer: 'invoice' }, 2);
    expect(old.of('warned').map(({ text }) => text)).toContainEqual(
      expect.stringMatching(
        /'order\.placed' in version 2, and this application has version 1.*stored by a newer one\. It waits/,
      ),
    );
    // Of its key, and known to the old one: it goes behind all the same.
    await old.commit({ order: 'a', amount: 2 });
    await old.hears('unknown', { reason: 'type', consumer: 'invoice' }, 4);
    expect(old.of('ran', { handler: 'invoice' })).toEqual([]);

    await using worker = await RemoteApplication.start(database.options, 'new');
    const ran = () => [
      ...worker.of('ran', { handler: 'invoice' }),
      ...old.of('ran', { handler: 'invoice' }),
    ];
    while (ran().length < 2) {
      // oxlint-disable-next-line no-await-in-loop
      await states();
    }
    expect(worker.of('ran', { handler: 'invoice' })[0]).toMatchObject({
      attempt: 1,
      payload: { id: 'a', cents: 1 },
    });
  }, 30_000);

  it('keep what is owed to a handler that is gone, and say so, until one comes that has it', async () => {
    await using old = await RemoteApplication.start({ ...database.options, worker: false }, 'old');
    await old.commit({ order: 'a', amount: 1 });
    await old.close();
    await using now = await RemoteApplication.start(database.options, 'new');
    await now.hears('completed', { consumer: 'invoice' });
    expect(now.of('unknown')).toMatchObject([{ reason: 'handler', consumer: 'retired', count: 1 }]);
    expect(now.of('warned').map(({ text }) => text)).toEqual([
      expect.stringMatching(
        /^1 deliveries are stored for 'retired', which this application does not have: they wait/,
      ),
    ]);
    expect(await states()).toEqual(['invoice a completed', 'retired a created']);

    await using again = await RemoteApplication.start(database.options, 'old');
    await again.hears('completed', { consumer: 'retired' });
    expect(await states()).toEqual(['invoice a completed', 'retired a completed']);
  }, 30_000);

  it('try a delivery as often as the one that started last says', async () => {
    await using old = await RemoteApplication.start({ ...database.options, worker: false }, 'old');
    await old.commit({ order: 'a', amount: 1 });
    await using now = await RemoteApplication.start({ ...database.options, worker: false }, 'new');
    await old.commit({ order: 'b', amount: 1 });
    const rows = await database.query(
      `SELECT data->'emission'->'payload'->>'id' AS id, retry_limit FROM ${database.schema}.job WHERE name = 'invoice/keyed' ORDER BY 1`,
    );
    expect(rows).toEqual([
      { id: 'a', retry_limit: 4 },
      { id: 'b', retry_limit: 1 },
    ]);
    expect(now.isOver).toBe(false);
  }, 30_000);
});

describe('An embedded database', () => {
  const folder = mkdtempSync(join(tmpdir(), 'processes-'));
  const options = { embedded: join(folder, 'data'), pollMs: 50 };

  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('is refused to a second process, and taken over at once from one that was killed', async () => {
    await using first = await RemoteApplication.start(options);
    await first.commit({ emit: 'hold' });
    await first.hears('ran', { handler: 'hold' });
    await using second = await RemoteApplication.start(options);
    expect(second.of('refused').map(({ text }) => text)).toEqual([
      expect.stringMatching(
        /^The embedded database in .*data is in use by process \d+, and is for one alone\. Give several a PostgreSQL/,
      ),
    ]);
    await first.kill();

    await using third = await RemoteApplication.start(options);
    expect(third.of('refused')).toEqual([]);
    await third.hears('ran', { handler: 'hold', attempt: 2 });
    third.tell('release');
    await third.hears('completed', { consumer: 'effect' });
  }, 120_000);
});
