import type { SqlExecutor } from '../../emission/sql-executor.js';
import type { ExecutorSource } from '../../emission/transaction-source.js';

/** What is needed of a transaction of Knex. */
export interface KnexTransaction {
  raw(text: string, values?: any): any;
}

/** What is needed of a Knex. */
export interface KnexDatabase<Tx extends KnexTransaction> {
  transaction(work: (transaction: Tx) => Promise<any>): Promise<any>;
}

/** Transactions of Knex: `emissions.transaction(fromKnex(knex), async (trx) => { … })`. */
export function fromKnex<Tx extends KnexTransaction>(knex: KnexDatabase<Tx>): ExecutorSource<Tx> {
  const executorOf = async (trx: Tx): Promise<SqlExecutor> =>
    (await import('pg-boss')).fromKnex(trx as never);
  return {
    source: knex,
    executorOf,
    begin: (work) => knex.transaction(async (trx) => work(trx, await executorOf(trx))),
  };
}
