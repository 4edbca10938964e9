import { TransactionOverError } from './emission/emission.errors.js';
import type { SqlExecutor } from './emission/sql-executor.js';
import type { Place } from './pipeline/place.js';

/** A transaction at work. */
export interface Open {
  readonly source: object;
  readonly transaction: unknown;
  readonly executor: SqlExecutor;
  /** What is handed over when it has committed, each with its place in the queues. */
  readonly accepted: Place[];
  savepoints: number;
  /** Whether a statement has succeeded in it since the work was done. */
  isSound: boolean;
  /** Whether the code that asks has left it for a while. */
  isSuspended(): boolean;
}

/** What code runs in: a transaction, or a savepoint of one. */
export class Stage {
  /** The transaction has ended, or the savepoint was rolled back. */
  hasEnded = false;
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    readonly open: Open,
    private readonly around?: Stage,
  ) {}

  /** Whether nothing can be stored in it any more: it has ended, or what is around it has. */
  get isOver(): boolean {
    return this.hasEnded || this.around?.isOver === true;
  }

  /** A savepoint of it. */
  within(): Stage {
    return new Stage(this.open, this);
  }

  /**
   * One savepoint in it behind another: of two that overlap, the one would take back what the other has done.
   *
   * @throws TransactionOverError when it is over before it is their turn
   */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(() => {
      if (this.isOver) throw new TransactionOverError();
      return work();
    });
    this.#last = turn.catch(() => {});
    return turn;
  }
}
