import type { SqlExecutor } from '../../emission/sql-executor.js';
import type { ExecutorSource } from '../../emission/transaction-source.js';

/** What is needed of an EntityManager of MikroORM 7 on PostgreSQL. */
export interface MikroOrmManager {
  transactional<T>(work: (manager: any) => Promise<T>): Promise<T>;
  getTransactionContext(): unknown;
}

/**
 * Transactions of MikroORM: `emissions.transaction(fromMikroOrm(em), async (em) => { … })`. It writes what the work changed when the
 * work is done, in the same transaction.
 */
export function fromMikroOrm<Manager extends MikroOrmManager>(
  manager: Manager,
): ExecutorSource<Manager> {
  // A transaction of Kysely is what MikroORM works with.
  const executorOf = async (em: Manager): Promise<SqlExecutor> =>
    (await import('pg-boss')).fromKysely(em.getTransactionContext() as never);
  return {
    source: manager,
    executorOf,
    begin: (work) => manager.transactional(async (em: Manager) => work(em, await executorOf(em))),
  };
}
