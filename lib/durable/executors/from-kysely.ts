import type { TransactionSource } from '../../emission/transaction-source.js';

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
): TransactionSource<Tx> {
  return {
    source: database,
    begin: async (work) => {
      const adapters = await import('pg-boss');
      return database.transaction().execute((trx) => work(trx, adapters.fromKysely(trx as never)));
    },
  };
}
