import { AsyncLocalStorage } from 'node:async_hooks';
import type { BufferContext } from './buffer/buffer.context.js';
import { ConfigurationError } from './emission/emission.errors.js';
import type { Emission } from './emission/emission.js';
import { quote } from './emission/quote.js';
import type { SqlExecutor } from './emission/sql-executor.js';
import type { AmbientTransactions, TransactionSource } from './emission/transaction-source.js';
import type { Pipeline } from './pipeline/pipeline.js';
import type { Place } from './pipeline/place.js';

/** A transaction at work. */
interface Open {
  readonly source: object;
  readonly transaction: unknown;
  readonly executor: SqlExecutor;
  /** What is handed over when it has committed, each with its place in the queues. */
  readonly accepted: Place[];
  savepoints: number;
  isOver: boolean;
  /** Whether the code that asks has left it for a while. */
  isSuspended(): boolean;
}

interface Rules {
  readonly atEnd?: ((executor: SqlExecutor) => Promise<void>) | undefined;
  readonly isSuspended?: (() => boolean) | undefined;
}

/**
 * Runs work in a transaction of the application's database, together with what it emits: critical handlers run, and durable
 * deliveries are stored, before it commits; everybody else gets the emissions when it has. Room for these is made before, so that
 * they cannot be refused then.
 */
export class Transactions implements AmbientTransactions {
  readonly #open = new AsyncLocalStorage<Open>();

  constructor(
    private readonly buffers: BufferContext,
    private readonly pipeline: Pipeline,
  ) {}

  /** @param atEnd is the last thing done in the transaction */
  async run<Tx, T>(
    source: TransactionSource<Tx>,
    work: (transaction: Tx) => T | Promise<T>,
    atEnd?: (executor: SqlExecutor) => Promise<void>,
  ): Promise<T> {
    refuseNoSource(source, work);
    const around = this.#current();
    return around?.source === source.source
      ? this.#within(around, work as (transaction: unknown) => T | Promise<T>, atEnd)
      : this.#begin(source, work, { atEnd });
  }

  open<Tx, T>(
    source: TransactionSource<Tx>,
    work: () => Promise<T>,
    isSuspended: () => boolean,
  ): Promise<T> {
    return this.#begin(source, () => work(), { isSuspended });
  }

  async nest<T>(work: () => Promise<T>): Promise<T> {
    const open = this.#current();
    const before = open?.accepted.length ?? 0;
    try {
      return await this.buffers.runBuffered(work);
    } catch (error) {
      if (open !== undefined) release(open.accepted, before);
      throw error;
    }
  }

  /** The transaction that the code that asks works in. */
  #current(): Open | undefined {
    const open = this.#open.getStore();
    return open === undefined || open.isOver || open.isSuspended() ? undefined : open;
  }

  async #begin<Tx, T>(
    source: TransactionSource<Tx>,
    work: (transaction: Tx) => T | Promise<T>,
    rules: Rules,
  ): Promise<T> {
    const { atEnd, isSuspended } = rules;
    let accepted: Place[] = [];
    const begun = source.begin(async (transaction, executor) => {
      const open: Open = {
        ...{ source: source.source, transaction, executor, accepted: [], savepoints: 0 },
        isOver: false,
        // When it is over, nobody comes back to it: what is left of it must not emit elsewhere.
        isSuspended: () => !open.isOver && isSuspended?.() === true,
      };
      // A source may begin again, after a conflict.
      release(accepted);
      accepted = open.accepted;
      const outlet = async (emissions: readonly Emission[]): Promise<void> => {
        open.accepted.push(await this.pipeline.accept(emissions, executor));
      };
      try {
        return await this.#open.run(open, async () => {
          const done = await this.buffers.runApart(
            () => work(transaction),
            outlet,
            isSuspended && open.isSuspended,
          );
          await atEnd?.(executor);
          return done;
        });
      } finally {
        open.isOver = true;
      }
    });
    return begun.then(
      (result) => {
        for (const place of accepted) place.redeem();
        return result;
      },
      (error: unknown) => {
        release(accepted);
        throw error;
      },
    );
  }

  /** A savepoint: what fails in it takes back its own, and no more. */
  async #within<T>(
    open: Open,
    work: (transaction: unknown) => T | Promise<T>,
    atEnd: ((executor: SqlExecutor) => Promise<void>) | undefined,
  ): Promise<T> {
    const { transaction, executor, accepted } = open;
    const name = `emissions_${++open.savepoints}`;
    const before = accepted.length;
    await executor.executeSql(`SAVEPOINT ${name}`);
    try {
      const result = await this.buffers.runBuffered(() => work(transaction));
      await atEnd?.(executor);
      await executor.executeSql(`RELEASE SAVEPOINT ${name}`);
      return result;
    } catch (error) {
      await executor.executeSql(`ROLLBACK TO SAVEPOINT ${name}`);
      release(accepted, before);
      throw error;
    }
  }
}

/** Whoever wanted them does not get them. */
function release(places: Place[], from = 0): void {
  for (const place of places.splice(from)) place.release();
}

function refuseNoSource(source: unknown, work: unknown): void {
  const { begin } = Object(source) as Partial<TransactionSource>;
  if (typeof begin === 'function' && typeof work === 'function') return;
  throw new ConfigurationError(
    `transaction takes what opens transactions and the work, such as transaction(fromPg(pool), async (client) => { … }) with fromPg ` +
      `of nestjs-emissions/durable, but got ${quote(source)} and ${quote(work)}.`,
  );
}
