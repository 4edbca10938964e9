import type { SqlExecutor } from './sql-executor.js';

/**
 * What opens the transactions of a data layer: the functions `fromPg`, `fromTypeOrm` and their like of `nestjs-emissions/durable`
 * make one. `Tx` is what that layer gives to whoever works in a transaction.
 */
export interface TransactionSource<Tx = unknown> {
  /** What the transactions are of. One within another of the same is a savepoint of that one. */
  readonly source: object;
  /** Opens a transaction, commits it when the work resolves, and rolls it back when it rejects. */
  begin<T>(work: (transaction: Tx, executor: SqlExecutor) => Promise<T>): Promise<T>;
}

/** Runs work in a transaction, together with what it emits. */
export interface Transact {
  <Tx, T>(
    source: TransactionSource<Tx>,
    work: (transaction: Tx) => T | Promise<T>,
    atEnd?: (executor: SqlExecutor) => Promise<void>,
  ): Promise<T>;
}
