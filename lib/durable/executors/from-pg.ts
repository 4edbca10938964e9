import type { SqlExecutor } from '../../emission/sql-executor.js';
import type { ExecutorSource } from '../../emission/transaction-source.js';

/** What is needed of a client of `pg`. */
export interface PgClient {
  query(text: string, values?: any[]): Promise<{ rows: any[] }>;
  release(error?: Error | boolean): void;
  on?(event: 'error', listener: (error: Error) => void): unknown;
  off?(event: 'error', listener: (error: Error) => void): unknown;
}

/** What is needed of a pool of `pg`. */
export interface PgPool<Client extends PgClient> {
  connect(): Promise<Client>;
}

/** Transactions of `pg`: `emissions.transaction(fromPg(pool), async (client) => { … })`. */
export function fromPg<Client extends PgClient>(pool: PgPool<Client>): ExecutorSource<Client> {
  const executorOf = (client: Client): SqlExecutor => ({
    executeSql: (text, values) => client.query(text, values),
  });
  return {
    source: pool,
    executorOf,
    begin: async (work) => {
      const client = await pool.connect();
      // A connection that breaks while nothing runs on it would end the process; the next statement says so anyway.
      const broken = (): void => {};
      client.on?.('error', broken);
      let failure: Error | undefined;
      try {
        await client.query('BEGIN');
        const result = await work(client, executorOf(client));
        await client.query('COMMIT');
        return result;
      } catch (error) {
        await client.query('ROLLBACK').catch((reason: Error) => (failure = reason));
        throw error;
      } finally {
        client.off?.('error', broken);
        // One that could not be rolled back is not to be used by others.
        client.release(failure);
      }
    },
  };
}
