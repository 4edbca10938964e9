import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Claim, DeliveryQueue, OwedEmission } from '../../../lib/durable/delivery/delivery.js';
import { Ids } from '../../../lib/emission/ids.js';
import { resolveDurableOptions } from '../../../lib/durable/durable.module.js';
import { PgBossStore } from '../../../lib/durable/pg-boss/pg-boss.store.js';
import { DATABASES, type TestDatabase } from '../../support/databases.js';
import { until } from '../../support/until.js';

const ids = new Ids();
const parallel: DeliveryQueue = { name: 'h', isKeyed: false, maxAttempts: 2, skipsDead: false };
const keyed: DeliveryQueue = { name: 'h/keyed', isKeyed: true, maxAttempts: 2, skipsDead: false };

function owed(queue: string, said: Partial<OwedEmission> = {}): OwedEmission {
  return {
    id: ids.next(Date.now()),
    data: { emission: { name: 'x', payload: null } },
    key: queue === keyed.name ? 'k' : undefined,
    tenant: undefined,
    delayMs: 0,
    owed: [{ queue, priority: 0 }],
    ...said,
  };
}

describe.each(DATABASES)('The store on %s', (_, makeDatabase) => {
  let database: TestDatabase;
  let store: PgBossStore;

  beforeAll(async () => {
    database = await makeDatabase();
    store = new PgBossStore(resolveDurableOptions(database.options));
    await store.open();
    await store.prepare([parallel, keyed]);
  }, 60_000);

  afterAll(async () => {
    await store.close();
    await database[Symbol.asyncDispose]();
  });

  /** Makes the worker of all that is claimed look silent for a minute. */
  const silence = () =>
    database.query(
      `UPDATE ${database.schema}.job SET heartbeat_on = heartbeat_on - interval '1 minute' WHERE state = 'active'`,
    );
  const errorOf = ({ attempt }: Claim) => ({ attempt, at: '', name: 'E', message: 'no' });

  it('stores the same once, however often it is told', async () => {
    const [first, second] = [owed('h'), owed('h')];
    expect(await store.accept([first, second])).toBe(2);
    expect(await store.accept([first, second])).toBe(0);
    const claims = await store.claim(parallel, 10);
    expect(claims.map(({ id, attempt, maxAttempts }) => [id, attempt, maxAttempts])).toEqual([
      [first.id, 1, 2],
      [second.id, 1, 2],
    ]);
    expect(await store.claim(parallel, 10)).toEqual([]);
    expect([...(await store.complete('h', claims))].sort()).toEqual([first.id, second.id].sort());
  });

  it('stores nothing of a commit one of whose queues is gone', async () => {
    const there = owed('h');
    await expect(store.accept([there, owed('gone')])).rejects.toThrow(/the queues gone are gone/);
    expect(await store.claim(parallel, 10)).toEqual([]);
  });

  it('lets nobody settle a delivery that was taken over', async () => {
    await store.accept([owed('h')]);
    const [late] = (await store.claim(parallel, 1)) as [Claim];
    await silence();
    expect(await store.rescue([parallel, keyed])).toEqual(['h']);
    const [taken] = (await store.claim(parallel, 1)) as [Claim];
    expect(taken).toMatchObject({ id: late.id, attempt: 2 });

    expect([...(await store.touch('h', [late]))]).toEqual([]);
    expect([...(await store.complete('h', [late]))]).toEqual([]);
    expect([...(await store.release('h', [late], 0))]).toEqual([]);
    const failure = { claim: late, error: errorOf(late), delayMs: 0 };
    expect([...(await store.fail(parallel, [failure]))]).toEqual([]);
    expect([...(await store.touch('h', [taken]))]).toEqual([taken.id]);
    expect([...(await store.complete('h', [taken]))]).toEqual([taken.id]);
  });

  it('counts the attempt of a worker that fell silent, and gives up after the last', async () => {
    const { id } = owed('h');
    await store.accept([owed('h', { id })]);
    for (const attempt of [1, 2]) {
      // oxlint-disable-next-line no-await-in-loop -- one attempt behind another
      expect(await store.claim(parallel, 1)).toMatchObject([{ id, attempt }]);
      // oxlint-disable-next-line no-await-in-loop
      await silence();
      // oxlint-disable-next-line no-await-in-loop
      await store.rescue([parallel]);
    }
    const [dead] = await store.findDead({ queues: ['h'], ids: [id] });
    expect(dead!.errors.map(({ attempt, name }) => [attempt, name])).toEqual([
      [1, 'WorkerGoneError'],
      [2, 'WorkerGoneError'],
    ]);
    expect(await store.discard({ queues: ['h'], ids: [id] })).toEqual([
      { id, queue: 'h', notified: expect.anything() },
    ]);
  });

  it('does not count what is given back unbegun', async () => {
    const { id } = owed('h');
    await store.accept([owed('h', { id })]);
    const first = await store.claim(parallel, 1);
    await store.release('h', first, 0);
    const second = await store.claim(parallel, 1);
    expect(second).toMatchObject([{ id, attempt: 1 }]);
    await store.fail(parallel, [{ claim: second[0]!, error: errorOf(second[0]!), delayMs: 0 }]);
    await store.release('h', await store.claim(parallel, 1), 0);
    const third = await store.claim(parallel, 1);
    expect(third).toMatchObject([{ id, attempt: 2 }]);
    await store.complete('h', third);
  });

  it('hands out one of each key, and each key in its turn', async () => {
    const keys = Array.from({ length: 9 }, (_each, i) => `k${i}`);
    const all = keys.flatMap((key) => [owed(keyed.name, { key }), owed(keyed.name, { key })]);
    await store.accept(all);
    const firsts = [
      ...(await store.claim(keyed, 4)),
      ...(await store.claim(keyed, 4)),
      ...(await store.claim(keyed, 4)),
    ];
    const expected = all.filter((_each, i) => i % 2 === 0).map(({ id }) => id);
    expect(firsts.map(({ id }) => id).sort()).toEqual(expected.sort());
    expect(await store.claim(keyed, 100)).toEqual([]);
    await store.complete(keyed.name, firsts);
    const seconds = await store.claim(keyed, 100);
    expect(seconds).toHaveLength(9);
    await store.complete(keyed.name, seconds);
  });

  it.each([false, true])(
    'gives each tenant its share, however many of one are stored before those of others (with keys: %j)',
    async (isKeyed) => {
      const name = isKeyed ? 'shared/keyed' : 'shared';
      const shared: DeliveryQueue = {
        ...{ name, isKeyed, maxAttempts: 1, skipsDead: false, tenantConcurrency: 3 },
      };
      if (isKeyed) await store.prepare([shared, { ...shared, name: 'shared', isKeyed: false }]);
      else await store.prepare([shared, { ...shared, name: 'shared/keyed', isKeyed: true }]);
      const of = (tenant: string | undefined, count: number) =>
        Array.from({ length: count }, (_each, i) =>
          owed(name, { tenant, key: isKeyed ? `${tenant}-${i}` : undefined }),
        );
      const [noisy, quiet, other, nobodys] = [
        of('noisy', 2_000),
        of('quiet', 5),
        of('other', 1),
        of(undefined, 4),
      ] as const;
      await store.accept([...noisy, ...quiet, ...other, ...nobodys]);
      const idsOf = (all: readonly { id: string }[]) => all.map(({ id }) => id);
      const first = await store.claim(shared, 50);
      const expected = [noisy.slice(0, 3), quiet.slice(0, 3), other, nobodys].flat();
      expect(idsOf(first)).toEqual(idsOf(expected));
      expect(await store.claim(shared, 50)).toEqual([]);
      await store.complete(name, [first[0]!, first[3]!]);
      const second = await store.claim(shared, 50);
      expect(idsOf(second)).toEqual(idsOf([noisy[3]!, quiet[3]!]));
      // No more than is asked for, the oldest first.
      await store.complete(name, [...first.slice(1, 3), ...second]);
      expect(idsOf(await store.claim(shared, 2))).toEqual(idsOf(noisy.slice(4, 6)));
    },
  );

  it('lets no priority change the order of a key, and lets it choose among what has none', async () => {
    const as = (queue: string, priority: number): OwedEmission =>
      owed(queue, { owed: [{ queue, priority }] });
    const ofKey = [as(keyed.name, 9), as(keyed.name, 0)];
    const others = [as('h', 9), as('h', 0), as('h', 5)] as const;
    await store.accept([...ofKey, ...others]);
    const [first] = (await store.claim(keyed, 10)) as [Claim];
    expect(first.id).toBe(ofKey[0]!.id);
    await store.complete(keyed.name, [first]);
    const [second] = (await store.claim(keyed, 10)) as [Claim];
    expect(second.id).toBe(ofKey[1]!.id);
    await store.complete(keyed.name, [second]);
    const claims = await store.claim(parallel, 10);
    expect(claims.map(({ id }) => id)).toEqual([others[1].id, others[2].id, others[0].id]);
    await store.complete('h', claims);
  });

  it('tells what is due, not what is to come', async () => {
    expect(await store.due(['h', keyed.name])).toEqual([]);
    await store.accept([owed('h', { delayMs: 60_000 }), owed(keyed.name)]);
    expect(await store.due(['h', keyed.name])).toEqual([keyed.name]);
    await store.complete(keyed.name, await store.claim(keyed, 1));
  });

  it('tells who listens what came', async () => {
    const heard: (string | undefined)[] = [];
    await store.listen((queue) => heard.push(queue));
    await store.accept([owed('h')]);
    await until(() => heard.includes('h'));
    await store.complete('h', await store.claim(parallel, 1));
    expect(await store.counts(['h'])).toMatchObject([{ queue: 'h', running: 0, dead: 0 }]);
  });
});
