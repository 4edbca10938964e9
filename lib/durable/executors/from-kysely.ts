import type { SqlExecutor } from '../../emission/sql-executor.js';
import type { ExecutorSource } from '../../emission/transaction-source.js';

/** What is needed of a transaction of Kysely. */
export interface KyselyTransaction {
  executeQuery(query: any): Promise<{ rows: any[] }>;
}

/** What is needed of a Kysely. */
export interface KyselyDatabase<Tx extends KyselyTransaction> {
  transaction(): { execute<T>(work: (transaction: Tx) => Promise<T>): Promise<T> };
}

/** Transactions of Kysely: `emissions.transaction(fromKysely(db), async (trx) => { … })`. */
export function fromKysely<Tx extends KyselyTransaction>(
  database: KyselyDatabase<Tx>,
): ExecutorSource<Tx> {
  const executorOf = async (trx: Tx): Promise<SqlExecutor> =>
    (await import('pg-boss')).fromKysely(trx as never);
  return {
    source: database,
    executorOf,
    begin: (work) =>
      database.transaction().execute(async (trx) => work(trx, await executorOf(trx))),
  };
}
