// pg-boss alone: batched insert, batched fetch, settled a batch at a time.
import { PgBoss } from 'pg-boss';
import { batches, Checked, keyOf, latency, rate } from './scenario.mjs';
import { connectionString, withSchema } from './schema.mjs';

const QUEUE = 'work';

async function start(schema, options = {}) {
  const boss = new PgBoss({ connectionString, schema, schedule: false, ...options });
  boss.on('error', () => {});
  return boss.start();
}

/** Jobs a second from a backlog. Their order is not checked: as shipped it is not that of the inserts. */
export const pgBoss = (count, keys, batchSize) => () =>
  withSchema(async (schema) => {
    const producer = await start(schema);
    await producer.createQueue(QUEUE, { policy: keys === 0 ? 'standard' : 'key_strict_fifo' });
    for (const batch of batches(count)) {
      await producer.insert(
        QUEUE,
        batch.map((data) => ({ data, ...(keys > 0 && { singletonKey: keyOf(data.n, keys) }) })),
      );
    }
    await producer.stop({ graceful: false });
    const boss = await start(schema);
    const checked = new Checked(count);
    let done = 0;
    const loop = async () => {
      while (done < count) {
        const jobs = await boss.fetch(QUEUE, { batchSize });
        if (jobs.length === 0) continue;
        for (const { data } of jobs) checked.take(data.n);
        await boss.complete(QUEUE, jobs);
        done += jobs.length;
      }
    };
    return rate(count, async () => {
      await Promise.all(keys === 0 ? [loop(), loop()] : [loop()]);
      await checked.all;
      await boss.stop({ graceful: false });
    });
  });

export const pgBossLatency = () =>
  withSchema((schema) =>
    latency(async (hear) => {
      const boss = await start(schema, { useListenNotify: true });
      await boss.createQueue(QUEUE, { notify: true });
      await boss.work(QUEUE, { batchSize: 10 }, async (jobs) => jobs.forEach(({ data }) => hear(data)));
      return { send: (order) => boss.send(QUEUE, order), close: () => boss.stop({ graceful: false }) };
    }),
  );
