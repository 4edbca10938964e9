import type { SqlExecutor } from '../../emission/sql-executor.js';
import type { ExecutorSource } from '../../emission/transaction-source.js';

/** What is needed of a transaction of PGlite. */
export interface PgliteTransaction {
  query(text: string, values?: any[]): Promise<{ rows: any[] }>;
}

/** What is needed of a PGlite. */
export interface PgliteDatabase<Tx extends PgliteTransaction> {
  transaction<T>(work: (transaction: Tx) => Promise<T>): Promise<T>;
}

/**
 * Transactions of PGlite: `emissions.transaction(fromPglite(database), async (tx) => { … })`, with the instance that
 * `EmissionsDurableModule.forRoot({ embedded: database })` was given. It has one session: what goes past the transaction waits.
 */
export function fromPglite<Tx extends PgliteTransaction>(
  database: PgliteDatabase<Tx>,
): ExecutorSource<Tx> {
  const executorOf = (tx: Tx): SqlExecutor => ({
    executeSql: (text, values) => tx.query(text, values),
  });
  return {
    source: database,
    executorOf,
    begin: (work) => database.transaction((tx) => work(tx, executorOf(tx))),
  };
}
