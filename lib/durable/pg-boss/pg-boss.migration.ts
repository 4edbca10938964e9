import { setTimeout as pause } from 'node:timers/promises';
import type { BamEvent, PgBoss } from 'pg-boss';
import { withDatabase } from '../database/database-failure.js';
import { TablesNotMigratedError } from '../durable.errors.js';
import type { DurableOptions } from '../durable.options.js';
import { Embedded } from '../database/embedded.database.js';
import { makeBoss, makeIndexes, startBoss, stopBoss, versionOf } from './pg-boss.start.js';

/** What was done to the tables. */
export interface Migration {
  /** Their version before; none, when they were not there. */
  readonly before: number | undefined;
  readonly now: number;
}

/** How soon pg-boss begins the next index; it takes no less. */
const BETWEEN_INDEXES_SECONDS = 10;
const LOOK_MS = 200;

/**
 * Makes or migrates the tables of durable deliveries, as the user that the options name. Resolves when the last index is built:
 * pg-boss builds them one by one, while deliveries go on being stored and worked off.
 *
 * @param progress is told what is waited for
 * @throws DatabaseUnavailableError when the database is not there, or refuses
 * @throws TablesNotMigratedError when an index cannot be built; doing it once more goes on there
 */
export function migrateTables(
  options: DurableOptions,
  progress: (message: string) => void,
): Promise<Migration> {
  return withDatabase(options, () => migrateThrough(options, progress));
}

async function migrateThrough(
  options: DurableOptions,
  progress: (message: string) => void,
): Promise<Migration> {
  const embedded = options.embedded === undefined ? undefined : new Embedded(options.embedded);
  const database = await embedded?.open();
  const make = (migrate: boolean): Promise<PgBoss> =>
    makeBoss({ ...options, worker: false, migrate }, database, {
      bamIntervalSeconds: BETWEEN_INDEXES_SECONDS,
    });
  try {
    const before = await versionBefore(await make(false));
    const boss = await make(true);
    await startBoss(boss, { ...options, migrate: true });
    try {
      await makeIndexes(boss, options, true);
      await indexesBuilt(boss, progress);
      return { before, now: (await versionOf(boss))! };
    } finally {
      await stopBoss(boss);
    }
  } finally {
    await embedded?.close();
  }
}

/** It refuses to start on any version but its own, and can be asked all the same. */
async function versionBefore(boss: PgBoss): Promise<number | undefined> {
  await boss.start().catch(() => {});
  try {
    return await versionOf(boss);
  } finally {
    await stopBoss(boss);
  }
}

/** Another process on the same tables may build them as well. */
async function indexesBuilt(boss: PgBoss, progress: (message: string) => void): Promise<void> {
  let failed: BamEvent | undefined;
  boss.on('bam', (event) => {
    if (event.status === 'failed') failed ??= event;
    if (event.status === 'in_progress') progress(`Building ${event.name} on ${event.table} …`);
  });
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- until the last is built
    const left = (await boss.getBamEntries()).filter(({ status }) => status !== 'completed');
    if (left.length === 0) return;
    if (failed !== undefined) throw new TablesNotMigratedError(failed.name, failed.error ?? '');
    // oxlint-disable-next-line no-await-in-loop
    await pause(LOOK_MS);
  }
}
