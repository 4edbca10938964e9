// BullMQ on Redis, which cannot be in the transaction of a database. Its free version has no keys: what is to keep its order is a
// queue of its own, worked one at a time.
import { randomBytes } from 'node:crypto';
import { bringUpServices } from '../../scripts/services.mjs';
import { installed } from './installed.mjs';
import { batches, Checked, CONCURRENCY, latency, ofTenants, rate, Waits } from './scenario.mjs';

await bringUpServices();
const { hostname: host, port } = new URL(process.env.REDIS_URL);
const connection = { host, port: Number(port) };
const KEPT = { removeOnComplete: 1_000 };

/** A queue of its own, and no trace of it in the end. */
async function withQueue(work) {
  installed(import.meta.dirname);
  const { Queue, Worker } = await import('bullmq');
  const prefix = `bench:${randomBytes(5).toString('hex')}`;
  const queue = new Queue('work', { connection, prefix });
  try {
    return await work(queue, (handle, concurrency) => {
      const options = { connection, prefix, concurrency, autorun: false };
      const worker = new Worker('work', async ({ data }) => handle(data), options);
      return worker;
    });
  } finally {
    await queue.obliterate({ force: true });
    await queue.close();
  }
}

/** Jobs a second from a backlog, checked for their order when they are worked one at a time. */
export const bullmq =
  (count, concurrency = CONCURRENCY) =>
  () =>
    withQueue(async (queue, workerOf) => {
      for (const batch of batches(count)) {
        await queue.addBulk(batch.map((data) => ({ name: 'work', data, opts: KEPT })));
      }
      const checked = new Checked(count);
      const worker = workerOf(({ n }) => checked.take(n, concurrency === 1 ? 'all' : undefined), concurrency);
      await worker.waitUntilReady();
      return rate(count, async () => {
        void worker.run();
        await checked.all;
        await worker.close();
      });
    });

export const bullmqLatency = () =>
  withQueue((queue, workerOf) =>
    latency(async (hear) => {
      const worker = workerOf(hear, CONCURRENCY);
      await worker.waitUntilReady();
      void worker.run();
      return { send: (order) => queue.add('work', order, KEPT), close: () => worker.close() };
    }),
  );

export const bullmqTenants = () =>
  withQueue(async (queue, workerOf) => {
    const jobs = [...ofTenants()].map(([tenant, order]) => ({ name: 'work', data: { tenant, order }, opts: KEPT }));
    for (let i = 0; i < jobs.length; i += 1_000) await queue.addBulk(jobs.slice(i, i + 1_000));
    const waits = new Waits();
    const worker = workerOf(({ tenant }) => waits.take(tenant), CONCURRENCY);
    await worker.waitUntilReady();
    waits.start();
    void worker.run();
    await waits.all;
    await worker.close();
    return waits.p95;
  });
