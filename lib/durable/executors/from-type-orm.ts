import type { TransactionSource } from '../../emission/transaction-source.js';

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
): TransactionSource<Manager> {
  return {
    source: dataSource,
    begin: (work) =>
      dataSource.transaction((manager) =>
        work(manager, {
          executeSql: async (text, values) => {
            const answer = (await manager.query(text, values)) as unknown;
            return { rows: Array.isArray(answer) ? answer : [] };
          },
        }),
      ),
  };
}
