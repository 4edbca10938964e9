import { AsyncLocalStorage } from 'node:async_hooks';
import type { BufferContext } from './buffer/buffer.context.js';
import { ConfigurationError, TransactionOverError } from './emission/emission.errors.js';
import type { Emission } from './emission/emission.js';
import { quote } from './emission/quote.js';
import type { SqlExecutor } from './emission/sql-executor.js';
import type { AmbientTransactions, TransactionSource } from './emission/transaction-source.js';
import type { Pipeline } from './pipeline/pipeline.js';
import type { Place } from './pipeline/place.js';
import { Stage, type Open } from './transactions.stage.js';

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
  readonly #stage = new AsyncLocalStorage<Stage>();

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
    return around?.open.source === source.source
      ? around.inTurn(() =>
          this.#within(around, work as (transaction: unknown) => T | Promise<T>, atEnd),
        )
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
    const around = this.#current();
    return around === undefined
      ? this.buffers.runBuffered(work)
      : this.#attempt(around, () => this.buffers.runBuffered(work));
  }

  /** The transaction, or savepoint, that the code that asks works in. */
  #current(): Stage | undefined {
    const stage = this.#stage.getStore();
    return stage === undefined || stage.isOver || stage.open.isSuspended() ? undefined : stage;
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
        ...{
          source: source.source,
          transaction,
          executor,
          accepted: [],
          savepoints: 0,
          isSound: false,
        },
        // When it is over, nobody comes back to it: what is left of it must not emit elsewhere.
        isSuspended: () => !stage.isOver && isSuspended?.() === true,
      };
      const stage = new Stage(open);
      // A source may begin again, after a conflict.
      release(accepted);
      accepted = open.accepted;
      try {
        return await this.#stage.run(stage, async () => {
          const done = await this.buffers.runApart(
            async () => {
              const result = await work(transaction);
              open.isSound = false;
              return result;
            },
            (emissions) => this.#accept(emissions, stage),
            isSuspended && open.isSuspended,
          );
          if (atEnd !== undefined) await atEnd(executor);
          // PostgreSQL rolls back a transaction in which a statement has failed when it is told to commit it, and calls that no error.
          else if (accepted.length > 0 && !open.isSound) await executor.executeSql('SELECT 1');
          return done;
        });
      } finally {
        stage.hasEnded = true;
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
  #within<T>(
    around: Stage,
    work: (transaction: unknown) => T | Promise<T>,
    atEnd: ((executor: SqlExecutor) => Promise<void>) | undefined,
  ): Promise<T> {
    const { transaction, executor } = around.open;
    const name = `emissions_${++around.open.savepoints}`;
    return this.#attempt(around, async (stage) => {
      await executor.executeSql(`SAVEPOINT ${name}`);
      try {
        const result = await this.buffers.runBuffered(() => work(transaction));
        await atEnd?.(executor);
        await executor.executeSql(`RELEASE SAVEPOINT ${name}`);
        return result;
      } catch (error) {
        // What is being stored at this moment is taken back; what would be later is not stored.
        stage.hasEnded = true;
        await executor.executeSql(`ROLLBACK TO SAVEPOINT ${name}`);
        throw error;
      }
    });
  }

  /** Runs work in a stage of its own: when it fails, nobody gets what was accepted in it. */
  async #attempt<T>(around: Stage, work: (stage: Stage) => Promise<T>): Promise<T> {
    const { accepted } = around.open;
    const before = accepted.length;
    const stage = around.within();
    try {
      return await this.#stage.run(stage, work, stage);
    } catch (error) {
      stage.hasEnded = true;
      release(accepted, before);
      throw error;
    }
  }

  /** A hand-over that nobody waited for may come to its end later than the transaction, or savepoint, that it is part of. */
  async #accept(emissions: readonly Emission[], root: Stage): Promise<void> {
    const { open } = root;
    const here = this.#stage.getStore();
    const stage = here?.open === open ? here : root;
    const place = await this.pipeline.accept(emissions, {
      executeSql: async (...statement) => {
        if (stage.isOver) throw new TransactionOverError();
        const result = await open.executor.executeSql(...statement);
        open.isSound = true;
        return result;
      },
    });
    if (stage.isOver) {
      place.release();
      throw new TransactionOverError();
    }
    open.accepted.push(place);
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
