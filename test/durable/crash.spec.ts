import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Cluster } from '../support/cluster/cluster.js';
import { DATABASE_URL, postgres, type TestDatabase } from '../support/databases.js';
import { until } from '../support/until.js';

const onPostgres = DATABASE_URL === undefined ? describe.skip : describe;

onPostgres('Processes that are killed', () => {
  let database: TestDatabase;
  let cluster: Cluster;

  beforeEach(async () => {
    database = await postgres();
    cluster = new Cluster(DATABASE_URL!, database.schema, { HEARTBEAT_MS: '2000' });
    await cluster.prepare();
  });

  afterEach(async () => {
    await cluster.stop();
    await database[Symbol.asyncDispose]();
  });

  it('lose nothing that was committed, repeat no more than was at work, and keep every key in order', async () => {
    const first = await cluster.start();
    const second = await cluster.start();
    const third = await cluster.start();
    const emitted = [first, second, third].map((worker) => cluster.emit(worker, 400));
    await until(() => cluster.committed.length > 100, 20_000_000);
    await cluster.kill(first);
    const fourth = await cluster.start();
    emitted.push(cluster.emit(fourth, 200));
    await cluster.kill(second);
    await Promise.all(emitted);
    await cluster.kill(third);
    // Looked at by turns: the workers work, and the database is asked.
    while ((await cluster.open()) > 0);

    const { recoveriesMs, duplicates, inFlight, ...findings } = await cluster.findings();
    expect(findings).toMatchObject({
      lost: [],
      unexplained: 0,
      inversions: 0,
      overlaps: 0,
      refused: 0,
    });
    expect(findings.committed).toBeGreaterThan(500);
    expect(duplicates).toBeLessThanOrEqual(inFlight);
    // Whoever was killed may have been between two deliveries.
    expect(Math.max(0, ...recoveriesMs)).toBeLessThan(6_000);
    expect(cluster.exits).toEqual([]);
  }, 90_000);

  it('and four that are not share the work, and do none of it twice', async () => {
    const workers = await Promise.all([1, 2, 3, 4].map(() => cluster.start()));
    await Promise.all(workers.map((worker) => cluster.emit(worker, 250)));
    while ((await cluster.open()) > 0);
    expect(await cluster.findings()).toMatchObject({
      ...{ committed: 1_000, done: 1_000, workers: 4 },
      ...{ lost: [], duplicates: 0, inversions: 0, overlaps: 0, refused: 0 },
    });
    expect(cluster.exits).toEqual([]);
  }, 60_000);
});
