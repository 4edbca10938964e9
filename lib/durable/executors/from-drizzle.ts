import type { SqlExecutor } from '../../emission/sql-executor.js';
import type { ExecutorSource } from '../../emission/transaction-source.js';

/** What is needed of a database of Drizzle. */
export interface DrizzleDatabase<Tx> {
  transaction<T>(work: (transaction: Tx) => Promise<T>): Promise<T>;
}

/**
 * Transactions of Drizzle: `emissions.transaction(fromDrizzle(db, sql), async (tx) => { … })`, with the `sql` of `drizzle-orm`.
 */
export function fromDrizzle<Tx>(
  database: DrizzleDatabase<Tx>,
  sql: (strings: TemplateStringsArray, ...values: any[]) => unknown,
): ExecutorSource<Tx> {
  const executorOf = async (tx: Tx): Promise<SqlExecutor> =>
    (await import('pg-boss')).fromDrizzle(tx as never, sql as never);
  return {
    source: database,
    executorOf,
    begin: (work) => database.transaction(async (tx) => work(tx, await executorOf(tx))),
  };
}
