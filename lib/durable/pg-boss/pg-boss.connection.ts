import type { PgBoss } from 'pg-boss';
import { ConfigurationError } from '../../emission/emission.errors.js';
import { DIALECTS } from './dialect.js';
import type { DurableOptions } from '../durable.options.js';
import type { Embedded } from '../database/embedded.database.js';
import { makeBoss, startBoss } from './pg-boss.start.js';

/**
 * The pg-boss that was given, or one of our own, started.
 *
 * @throws ConfigurationError when pg-boss is not installed, or the one given has no tables where they are looked for
 * @throws TablesNotReadyError when the tables are to be as they are, and that will not do
 */
export async function openPgBoss(
  options: DurableOptions,
  embedded: Embedded | undefined,
): Promise<PgBoss> {
  if (options.boss !== undefined) {
    await check(options.boss, options);
    return options.boss;
  }
  try {
    const boss = await makeBoss(options, await embedded?.open());
    await startBoss(boss, options);
    return boss;
  } catch (error) {
    await embedded?.close();
    throw error;
  }
}

async function check(boss: PgBoss, { schema, backend }: DurableOptions): Promise<void> {
  const { table } = DIALECTS[backend];
  const { rows } = await boss
    .getDb()
    .executeSql(
      'SELECT table_name FROM information_schema.tables WHERE table_schema = $1 AND table_name = $2',
      [schema, table],
    );
  if (rows.length > 0) return;
  throw new ConfigurationError(
    `The given pg-boss has no table ${schema}.${table}. Start it before it is given, and say what it was made with: ` +
      `EmissionsDurableModule.forRoot({ boss, schema: '…', backend: '…' }); schema is '${schema}' and backend '${backend}' now.`,
  );
}
