import type { SqlExecutor } from '../../emission/sql-executor.js';
import type { ExecutorSource } from '../../emission/transaction-source.js';

/** What is needed of an EntityManager of TypeORM. */
export interface TypeOrmManager {
  query(text: string, values?: any[]): Promise<any>;
}

/** What is needed of a DataSource of TypeORM. */
export interface TypeOrmSource<Manager extends TypeOrmManager> {
  transaction<T>(work: (manager: Manager) => Promise<T>): Promise<T>;
}

/** Transactions of TypeORM: `emissions.transaction(fromTypeOrm(dataSource), async (manager) => { … })`. */
export function fromTypeOrm<Manager extends TypeOrmManager>(
  dataSource: TypeOrmSource<Manager>,
): ExecutorSource<Manager> {
  const executorOf = (manager: Manager): SqlExecutor => ({
    executeSql: async (text, values) => {
      const answer = (await manager.query(text, values)) as unknown;
      return { rows: Array.isArray(answer) ? answer : [] };
    },
  });
  return {
    source: dataSource,
    executorOf,
    begin: (work) => dataSource.transaction((manager) => work(manager, executorOf(manager))),
  };
}
