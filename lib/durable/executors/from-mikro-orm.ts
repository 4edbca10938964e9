import type { TransactionSource } from '../../emission/transaction-source.js';

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
): TransactionSource<Manager> {
  return {
    source: manager,
    begin: async (work) => {
      const adapters = await import('pg-boss');
      return manager.transactional((em: Manager) =>
        // A transaction of Kysely is what MikroORM works with.
        work(em, adapters.fromKysely(em.getTransactionContext() as never)),
      );
    },
  };
}
