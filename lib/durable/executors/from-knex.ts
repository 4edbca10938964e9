import type { TransactionSource } from '../../emission/transaction-source.js';

/** What is needed of a transaction of Knex. */
export interface KnexTransaction {
  raw(text: string, values?: any): any;
}

/** What is needed of a Knex. */
export interface KnexDatabase<Tx extends KnexTransaction> {
  transaction(work: (transaction: Tx) => Promise<any>): Promise<any>;
}

/** Transactions of Knex: `emissions.transaction(fromKnex(knex), async (trx) => { … })`. */
export function fromKnex<Tx extends KnexTransaction>(
  knex: KnexDatabase<Tx>,
): TransactionSource<Tx> {
  return {
    source: knex,
    begin: async (work) => {
      const adapters = await import('pg-boss');
      return knex.transaction((trx) => work(trx, adapters.fromKnex(trx as never)));
    },
  };
}
