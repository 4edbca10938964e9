// How fast are stored deliveries worked off, in order and not, how soon does a handler hear of a commit, and how long do others wait
// behind a tenant that has very many?
import { bullmq, bullmqLatency, bullmqTenants } from './durable/bullmq.mjs';
import { fair, ourLatency, ours, ourTenants } from './durable/ours.mjs';
import { outbox } from './durable/outbox.mjs';
import { pgBoss, pgBossLatency } from './durable/pg-boss.mjs';
import { KEYS, TENANTS } from './durable/scenario.mjs';

const DELIVERIES = 30_000;
const FEW = 3_000;
const HOT = 2_000;

export default {
  title: 'stored deliveries: a backlog with a handler that does nothing; commit to handler at 100 a second; a noisy tenant',
  unit: 'deliveries per second, the greater the better; for latency and waits milliseconds, the smaller the better',
  rounds: 5,
  contenders: {
    deliveries: { run: ours(DELIVERIES, 0) },
    'pg-boss alone': { run: pgBoss(DELIVERIES, 0, 250), label: 'batches of 250, two loops' },
    BullMQ: { run: bullmq(DELIVERIES), label: 'on Redis: in no transaction of the database' },
    'nestjs-outbox': { run: outbox('rate', FEW), label: 'Nest 11, MikroORM, 250 a poll' },
    '1,000 keys': { run: ours(DELIVERIES, KEYS), label: 'order checked' },
    'pg-boss alone, 1,000 keys': { run: pgBoss(DELIVERIES, KEYS, 1_000), label: 'key_strict_fifo, batches of 1,000; order not checked' },
    'one hot key': { run: ours(HOT, 1), label: 'order checked' },
    'BullMQ, one at a time': { run: bullmq(HOT, 1), label: 'order checked; without keys this is the whole queue' },
    latency: { run: ourLatency },
    'latency of pg-boss alone': { run: pgBossLatency, label: 'LISTEN/NOTIFY' },
    'latency of BullMQ': { run: bullmqLatency },
    'latency of nestjs-outbox': { run: outbox('latency', 0), label: 'LISTEN/NOTIFY, looks every 100 ms at most' },
    'wait behind a noisy tenant': { run: ourTenants({}), label: `p95 of the others, ${TENANTS.handlerMs} ms a call` },
    'wait, with tenantConcurrency': { run: ourTenants(fair), label: `p95 of the others, ${TENANTS.share} at once for each` },
    'wait in BullMQ': { run: bullmqTenants, label: 'p95 of the others; no groups' },
  },
  targets: [
    { id: 'P6', says: 'deliveries per second against pg-boss alone', of: 'deliveries', to: 'pg-boss alone', atLeast: 0.8 },
    { id: 'P6', says: 'commit to handler against pg-boss alone', of: 'latency', to: 'latency of pg-boss alone', atMost: 1.5 },
    { id: 'P7', says: '1,000 keys against pg-boss alone', of: '1,000 keys', to: 'pg-boss alone, 1,000 keys', atLeast: 1 },
    { id: 'P7', says: 'deliveries per second of one hot key', of: 'one hot key', atLeast: 350 },
    {
      id: 'tenants',
      says: "the others' wait, with tenantConcurrency against without",
      of: 'wait, with tenantConcurrency',
      to: 'wait behind a noisy tenant',
      atMost: 0.5,
    },
  ],
};
