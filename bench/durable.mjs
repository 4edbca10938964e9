// How fast are stored deliveries worked off, in order and not, and how soon does a handler hear of a commit?
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { PgBoss } from 'pg-boss';
import { Emissions, EmissionsModule, OnEmission } from '../dist/index.js';
import { EmissionsDurableModule } from '../dist/durable/index.js';
import { bringUpServices } from '../scripts/services.mjs';
import { application, decorate, payload } from './harness/applications.mjs';

const DELIVERIES = 50_000;
const HOT = 2_000;
const KEYS = 1_000;
const AT_ONCE = 1_000;
const LATENCIES = 500;

await bringUpServices();
const connectionString = process.env.DATABASE_URL;

/** A schema of its own, dropped in the end. */
async function withSchema(work) {
  const schema = `bench_${randomBytes(5).toString('hex')}`;
  const pool = new pg.Pool({ connectionString });
  try {
    return await work(schema);
  } finally {
    await pool.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
    await pool.end();
  }
}

const keyOf = (i, keys) => (keys === 0 ? undefined : `k${i % keys}`);

/** Checks that each key was worked on in its order. */
class Order {
  count = 0;
  #last = new Map();

  take(key, n) {
    this.count++;
    if (key === undefined || key === null) return;
    if (n <= (this.#last.get(key) ?? -1)) throw new Error(`${key}: ${n} came too late.`);
    this.#last.set(key, n);
  }
}

/** Deliveries a second of one process with a handler that does nothing, from a backlog. */
function ours(count, keys) {
  return () =>
    withSchema(async (schema) => {
      const order = new Order();
      class Handlers {
        take({ n }, { key }) {
          order.take(key, n);
        }
      }
      decorate(Handlers, 'take', OnEmission('work', { durable: true, concurrency: 20 }));
      const start = (worker) =>
        application({
          imports: [EmissionsModule.forRoot(), EmissionsDurableModule.forRoot({ connectionString, schema, worker })],
          providers: [Handlers],
        });
      const producer = await start(false);
      const emissions = producer.get(Emissions);
      for (let n = 0; n < count; n += AT_ONCE) {
        await emissions.run(() => {
          for (let i = n; i < Math.min(n + AT_ONCE, count); i++) {
            emissions.emit('work', { ...payload(i), n: i }, undefined, { key: keyOf(i, keys) });
          }
        });
      }
      await producer.close();
      const started = performance.now();
      const worker = await start(true);
      while (order.count < count) await new Promise((resolve) => setTimeout(resolve, 2));
      // Closing settles what is done.
      await worker.close();
      return count / ((performance.now() - started) / 1_000);
    });
}

/** The same with pg-boss alone: batched insert, batched fetch, settled a batch at a time. */
function raw(count, keys, batchSize) {
  return () =>
    withSchema(async (schema) => {
      const queue = 'work';
      const start = async () => {
        const boss = new PgBoss({ connectionString, schema, schedule: false });
        boss.on('error', () => {});
        return boss.start();
      };
      const producer = await start();
      await producer.createQueue(queue, { policy: keys === 0 ? 'standard' : 'key_strict_fifo' });
      for (let n = 0; n < count; n += AT_ONCE) {
        const jobs = Array.from({ length: Math.min(AT_ONCE, count - n) }, (_, i) => ({
          data: { ...payload(n + i), n: n + i },
          ...(keys > 0 && { singletonKey: keyOf(n + i, keys) }),
        }));
        await producer.insert(queue, jobs);
      }
      await producer.stop({ graceful: false });
      let done = 0;
      const started = performance.now();
      const boss = await start();
      const loop = async () => {
        while (done < count) {
          const jobs = await boss.fetch(queue, { batchSize });
          if (jobs.length === 0) continue;
          await boss.complete(queue, jobs);
          done += jobs.length;
        }
      };
      await Promise.all(keys === 0 ? [loop(), loop()] : [loop()]);
      await boss.stop({ graceful: false });
      return count / ((performance.now() - started) / 1_000);
    });
}

/** Milliseconds from the commit's beginning to the handler's, at 100 a second; the median. */
function latency(listen) {
  return () =>
    withSchema(async (schema) => {
      const waited = [];
      const hear = ({ at }) => waited.push(performance.now() - at);
      const { send, close } = await listen(schema, hear);
      for (let i = 0; i < LATENCIES; i++) {
        void send({ ...payload(i), at: performance.now() });
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      while (waited.length < LATENCIES) await new Promise((resolve) => setTimeout(resolve, 5));
      await close();
      return waited.sort((a, b) => a - b)[LATENCIES >> 1];
    });
}

async function ourEnd(schema, hear) {
  class Handlers {
    take(order) {
      hear(order);
    }
  }
  decorate(Handlers, 'take', OnEmission('work', { durable: true }));
  const app = await application({
    imports: [EmissionsModule.forRoot(), EmissionsDurableModule.forRoot({ connectionString, schema })],
    providers: [Handlers],
  });
  const emissions = app.get(Emissions);
  return { send: (order) => emissions.run(() => void emissions.emit('work', order)), close: () => app.close() };
}

async function rawEnd(schema, hear) {
  const boss = new PgBoss({ connectionString, schema, schedule: false, useListenNotify: true });
  boss.on('error', () => {});
  await boss.start();
  await boss.createQueue('work', { notify: true });
  await boss.work('work', { batchSize: 10 }, async (jobs) => jobs.forEach(({ data }) => hear(data)));
  return { send: (order) => boss.send('work', order), close: () => boss.stop({ graceful: false }) };
}

export default {
  title: 'stored deliveries: a backlog with a handler that does nothing; commit to handler at 100 a second',
  unit: 'deliveries per second, the greater the better; for latency milliseconds, the smaller the better',
  rounds: 5,
  contenders: {
    deliveries: { run: ours(DELIVERIES, 0) },
    'pg-boss alone': { run: raw(DELIVERIES, 0, 250), label: 'batches of 250, two loops' },
    '1,000 keys': { run: ours(DELIVERIES, KEYS), label: 'order checked' },
    'pg-boss alone, 1,000 keys': { run: raw(DELIVERIES, KEYS, 1_000), label: 'key_strict_fifo, batches of 1,000' },
    'one hot key': { run: ours(HOT, 1), label: 'order checked' },
    latency: { run: latency(ourEnd) },
    'latency of pg-boss alone': { run: latency(rawEnd), label: 'LISTEN/NOTIFY' },
  },
  targets: [
    { id: 'P6', says: 'deliveries per second against pg-boss alone', of: 'deliveries', to: 'pg-boss alone', atLeast: 0.8 },
    { id: 'P6', says: 'commit to handler against pg-boss alone', of: 'latency', to: 'latency of pg-boss alone', atMost: 1.5 },
    { id: 'P7', says: '1,000 keys against pg-boss alone', of: '1,000 keys', to: 'pg-boss alone, 1,000 keys', atLeast: 1 },
    { id: 'P7', says: 'deliveries per second of one hot key', of: 'one hot key', atLeast: 350 },
  ],
};
