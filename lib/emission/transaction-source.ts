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

/** A source that also knows how statements are run in a transaction that somebody else has opened. */
export interface ExecutorSource<Tx = unknown> extends TransactionSource<Tx> {
  executorOf(transaction: Tx): SqlExecutor | Promise<SqlExecutor>;
}

/** The token under which an application provides what its own transactions hold emissions with. */
export const AMBIENT_TRANSACTIONS: symbol = Symbol('nestjs-emissions:ambient-transactions');

/** Lets transactions that an application opens in its own way hold what is emitted in them. */
export interface AmbientTransactions {
  /**
   * Opens a transaction, whatever is around it: what is emitted in it is stored through it before it commits, and handed over when
   * it has.
   *
   * @param isSuspended whether the code that asks has left it for a while: what that emits is no part of it
   */
  open<Tx, T>(
    source: TransactionSource<Tx>,
    work: () => Promise<T>,
    isSuspended: () => boolean,
  ): Promise<T>;
  /** Runs work that has a savepoint of its own: what fails in it takes back its own emissions, and no more. */
  nest<T>(work: () => Promise<T>): Promise<T>;
}

/** Runs work in a transaction, together with what it emits. */
export interface Transact {
  <Tx, T>(
    source: TransactionSource<Tx>,
    work: (transaction: Tx) => T | Promise<T>,
    atEnd?: (executor: SqlExecutor) => Promise<void>,
  ): Promise<T>;
}
