import { Logger } from '@nestjs/common';
import type { ConstructorOptions, PgBoss } from 'pg-boss';
import { isOfDatabase } from '../database/database-failure.js';
import { DIALECTS } from './dialect.js';
import { TablesNotReadyError } from '../durable.errors.js';
import type { DurableOptions, EmbeddedDatabase } from '../durable.options.js';
import { identifierOf } from './identifier.js';
import { notInstalled } from '../not-installed.js';
import { statementsOf } from './pg-boss.statements.js';

/** What of the options says where the tables are, and who may change them. */
export type BossOptions = Pick<
  DurableOptions,
  'schema' | 'connectionString' | 'connections' | 'backend' | 'worker' | 'migrate'
>;

/** What the catalogue answers to a second index of a name. */
const UNIQUE_VIOLATION = '23505';

/** Makes a pg-boss on the database that the options name, or on an embedded one; it is not started. */
export async function makeBoss(
  options: BossOptions,
  embedded: EmbeddedDatabase | undefined,
  more: Pick<ConstructorOptions, 'bamIntervalSeconds'> = {},
): Promise<PgBoss> {
  const { schema, connectionString, connections: max, backend, worker, migrate } = options;
  const { PgBoss, fromPglite } = await import('pg-boss').catch(
    notInstalled(
      'Durable deliveries need pg-boss, which is not installed. Run: npm install pg-boss',
    ),
  );
  // Those who work deliveries off also delete what has been kept long enough; who may not migrate may not rebuild indexes either.
  const shared = {
    ...{ schema: identifierOf(schema), schedule: false, supervise: worker, migrate },
    ...{ reindex: migrate, ...more },
  };
  const boss =
    embedded === undefined
      ? new PgBoss({
          ...shared,
          connectionString: connectionString!,
          max,
          backend,
          application_name: 'nestjs-emissions',
          // A server that is gone without a word is missed after seconds, and not after hours; pg takes it, pg-boss passes it on.
          ...{ keepAlive: true, keepAliveInitialDelayMillis: 10_000 },
        })
      : new PgBoss({ ...shared, db: fromPglite(embedded as never), backend: 'pglite' });
  const logger = new Logger('Emissions');
  boss.on('error', (error) => logger.warn(`The database of durable deliveries: ${error.message}`));
  return boss;
}

/**
 * Starts it; one that cannot be started is stopped.
 *
 * @throws TablesNotReadyError when the tables are to be as they are, and that will not do
 */
export async function startBoss(boss: PgBoss, { schema, migrate }: BossOptions): Promise<void> {
  try {
    await boss.start();
  } catch (error) {
    const reason = migrate ? error : await reasonOf(error, boss, schema);
    await stopBoss(boss);
    throw reason;
  }
}

/**
 * Makes the indexes of our own, where they are not there yet; of several applications that start at once, one makes each.
 *
 * @param sharesToo whether also the one that only handlers with `tenantConcurrency` need
 */
export async function makeIndexes(
  boss: Pick<PgBoss, 'getDb'>,
  { schema, backend }: Pick<BossOptions, 'schema' | 'backend'>,
  sharesToo: boolean,
): Promise<void> {
  const { indexes, tenantIndex } = statementsOf(schema, DIALECTS[backend]);
  const database = boss.getDb();
  // What makes an index waits for every open transaction and lets no other write meanwhile, also when it finds that it is there.
  const { rows } = await database.executeSql(
    'SELECT indexname AS name FROM pg_indexes WHERE schemaname = $1',
    [schema],
  );
  const there = new Set(rows.map(({ name }) => name));
  for (const { name, make } of sharesToo ? [...indexes, tenantIndex] : indexes) {
    // oxlint-disable-next-line no-await-in-loop -- one behind another
    if (!there.has(name)) await database.executeSql(make).catch(unlessMade);
  }
}

/** Whoever makes what another is making at the moment is refused when that is done, whether or not it says IF NOT EXISTS. */
function unlessMade(error: Error & { code?: unknown }): void {
  if (error.code !== UNIQUE_VIOLATION) throw error;
}

/** The version of the tables, if there are any; the pg-boss must have been told to start. */
export async function versionOf(boss: PgBoss): Promise<number | undefined> {
  return (await boss.isInstalled()) ? ((await boss.schemaVersion()) ?? undefined) : undefined;
}

/** Stops it, whatever state it is in. */
export async function stopBoss(boss: PgBoss): Promise<void> {
  await boss.stop({ graceful: false }).catch(() => {});
}

/** The database says a code with what it refuses; what has none is what pg-boss makes of the version. */
async function reasonOf(error: unknown, boss: PgBoss, schema: string): Promise<unknown> {
  if ((error as { code?: unknown }).code !== undefined || isOfDatabase(error)) return error;
  return versionOf(boss).then(
    (version) => new TablesNotReadyError(schema, version),
    () => error,
  );
}
