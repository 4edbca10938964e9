import type { TransactionSource } from '../../emission/transaction-source.js';

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
): TransactionSource<Tx> {
  return {
    source: database,
    begin: async (work) => {
      const adapters = await import('pg-boss');
      return database.transaction((tx) =>
        work(tx, adapters.fromDrizzle(tx as never, sql as never)),
      );
    },
  };
}
