/**
 * `npm run soak`: the long form of what `test/durable/crash.spec.ts` does. Kills workers at random, restarts PostgreSQL under load,
 * and prints what was lost, repeated, out of order, and how long it took to go on. Exits with 1 when a promise is broken.
 *
 *   --kills 50 --deliveries 20000 --workers 3 --keys 999 --restart
 *   --order                  the order of 100,000 deliveries with 1,000 keys, four processes and 20 kills
 *
 * It brings up a PostgreSQL of its own, which waits for the disk as a real one does.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { root, run } from './run.mjs';
import '../test/support/typescript.hooks.mjs';

const { values } = parseArgs({
  options: {
    kills: { type: 'string' },
    deliveries: { type: 'string' },
    workers: { type: 'string' },
    keys: { type: 'string' },
    restart: { type: 'boolean', default: false },
    order: { type: 'boolean', default: false },
  },
});
const asked = Object.fromEntries(
  ['kills', 'deliveries', 'workers', 'keys']
    .filter((name) => values[name] !== undefined)
    .map((name) => [name, Number(values[name])]),
);
const { kills, deliveries, workers, keys } = {
  ...(values.order
    ? { kills: 20, deliveries: 100_000, workers: 4, keys: 1_000 }
    : { kills: 50, deliveries: 20_000, workers: 3, keys: 999 }),
  ...asked,
};
/** How many a worker commits at a time, and how many may be waiting for it to. */
const [chunk, most] = values.order ? [250, 3_000] : [50, 600];
const { Cluster } = await import('../test/support/cluster/cluster.ts');

const folder = mkdtempSync(join(tmpdir(), 'nestjs-emissions-soak-'));
const port = '15433';
// The services of postgres are its own user's.
await run(`chmod 755 ${folder}`);
const services = (verb) =>
  run(
    `env -u DATABASE_URL SERVICES_DIR=${folder} PG_PORT=${port} SERVICES_DURABLE=1 bash ${join(root, 'scripts', 'services.sh')} ${verb} postgres`,
  );
const up = await services('up');
if (up.code !== 0) throw new Error(up.output);

const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
const cluster = new Cluster(url, 'soak', {
  KEYS: String(Math.ceil(keys / workers)),
  HANDLER_MS: values.order ? '2' : '10',
});
await cluster.prepare();
const keysOf = new Map();
const started = performance.now();
const seconds = () => `${((performance.now() - started) / 1_000).toFixed(1)} s`;

try {
  for (let i = 0; i < workers; i++) await begin();
  for (let i = 0; i < kills; i++) {
    await pause(200 + Math.random() * 1_500);
    const victim = cluster.workers[Math.floor(Math.random() * workers)];
    await cluster.kill(victim);
    await begin(keysOf.get(victim));
    if (i % 10 === 9)
      console.log(`${seconds()}: ${i + 1} kills, ${cluster.committed.length} committed`);
  }
  while (cluster.committed.length < deliveries) await pause(200);
  const flowsAgainMs = values.restart ? await restart() : undefined;
  while ((await cluster.open()) > 0) await pause(200);
  const { recoveriesMs, lost, ...findings } = await cluster.findings();
  recoveriesMs.sort((a, b) => a - b);
  const at = (share) =>
    recoveriesMs[Math.min(recoveriesMs.length - 1, Math.floor(recoveriesMs.length * share))];
  const all = {
    ...findings,
    kills: cluster.kills.length,
    lost: lost.length,
    interrupted: recoveriesMs.length,
    recoveryMs: { p50: at(0.5), p99: at(0.99), max: at(1) },
    exits: cluster.exits,
    ...(flowsAgainMs !== undefined && { flowsAgainMs }),
  };
  console.log(`${seconds()}\n${JSON.stringify(all, null, 2)}`);
  const broken = [
    all.lost > 0 && 'deliveries were lost',
    all.unexplained > 0 && 'deliveries were repeated without a kill',
    all.duplicates > all.inFlight && 'more were repeated than were at work at the kills',
    all.inversions + all.overlaps > 0 && 'keys were out of order',
    all.recoveryMs.p99 > 15_000 && 'it took more than 15 s to go on after a kill',
    all.exits.length > 0 && 'processes ended that nobody had killed',
    flowsAgainMs > 5_000 && 'it took more than 5 s to go on after the restart of PostgreSQL',
  ].filter(Boolean);
  for (const promise of broken) console.error(`BROKEN: ${promise}`);
  process.exitCode = broken.length > 0 ? 1 : 0;
} finally {
  await cluster.stop();
  await services('down');
  rmSync(folder, { recursive: true, force: true });
}

/** A worker that emits as long as there is not enough, and not more than is worked off; with the keys of the one it replaces. */
async function begin(ofOther) {
  const worker = await cluster.start(ofOther);
  keysOf.set(worker, ofOther ?? worker);
  const enough = () => cluster.committed.length >= deliveries && cluster.kills.length >= kills;
  void (async () => {
    while (!enough() && cluster.workers.includes(worker)) {
      if ((await cluster.open()) < most) await cluster.emit(worker, chunk);
      await pause(400);
    }
  })();
}

/** Restarts PostgreSQL while deliveries are worked off; resolves with how long it took until the next one was done. */
async function restart() {
  for (const worker of cluster.workers) void cluster.emit(worker, 2_000);
  await pause(1_000);
  await services('restart');
  const back = performance.now();
  const before = await cluster.done();
  while ((await cluster.done()) === before) await pause(20);
  return Math.round(performance.now() - back);
}
