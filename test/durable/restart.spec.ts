import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Cluster } from '../support/cluster/cluster.js';
import { CAN_RUN_POSTGRES, OwnPostgres } from '../support/own-postgres.js';
import { until } from '../support/until.js';

const onOwnPostgres = CAN_RUN_POSTGRES ? describe : describe.skip;

onOwnPostgres('A PostgreSQL that is restarted under load', () => {
  let server: OwnPostgres;
  let cluster: Cluster;

  beforeAll(async () => {
    server = await OwnPostgres.start();
    cluster = new Cluster(server.url, 'restarted', { HEARTBEAT_MS: '20000' });
    await cluster.prepare();
  }, 60_000);

  afterAll(async () => {
    await cluster.stop();
    await server[Symbol.asyncDispose]();
  }, 60_000);

  it('ends no process, loses nothing, repeats nothing, and deliveries flow again', async () => {
    const workers = await Promise.all([1, 2].map(() => cluster.start()));
    const emitted = Promise.all(workers.map((worker) => cluster.emit(worker, 1_500)));
    await until(() => cluster.committed.length > 500, 20_000_000);
    await server.restart();
    const before = await cluster.done();
    while ((await cluster.done()) === before);
    await emitted;
    while ((await cluster.open()) > 0);

    const findings = await cluster.findings();
    // Who was at work while it was away says so afterwards: nothing is run twice.
    expect(findings).toMatchObject({ lost: [], duplicates: 0, inversions: 0, overlaps: 0 });
    expect(findings.committed).toBeGreaterThan(1_000);
    expect(cluster.exits).toEqual([]);
  }, 120_000);
});
