import { AsyncLocalStorage } from 'node:async_hooks';
import { Logger } from '@nestjs/common';
import type { BufferContext } from './buffer/buffer.context.js';
import { ConfigurationError } from './emission/emission.errors.js';
import type { Emission } from './emission/emission.js';
import { quote } from './emission/quote.js';
import type { SqlExecutor } from './emission/sql-executor.js';
import type { TransactionSource } from './emission/transaction-source.js';
import type { Pipeline } from './pipeline/pipeline.js';
import { signal } from './telemetry/signal.js';

/** A transaction at work. */
interface Open {
  readonly source: object;
  readonly transaction: unknown;
  readonly executor: SqlExecutor;
  /** What is handed over when it has committed. */
  readonly accepted: Emission[];
  savepoints: number;
  isOver: boolean;
}

/**
 * Runs work in a transaction of the application's database, together with what it emits: critical handlers run, and durable
 * deliveries are stored, before it commits; everybody else gets the emissions when it has.
 */
export class Transactions {
  readonly #logger = new Logger('Emissions');
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
    const around = this.#open.getStore();
    if (around?.isOver === false && around.source === source.source) {
      return this.#within(around, work as (transaction: unknown) => T | Promise<T>, atEnd);
    }
    let accepted: readonly Emission[] = [];
    const result = await source.begin(async (transaction, executor) => {
      const open: Open = {
        ...{ source: source.source, transaction, executor, accepted: [], savepoints: 0 },
        isOver: false,
      };
      // A source may begin again, after a conflict.
      accepted = open.accepted;
      const outlet = async (emissions: readonly Emission[]): Promise<void> => {
        open.accepted.push(...(await this.pipeline.accept(emissions, executor)));
      };
      try {
        return await this.#open.run(open, async () => {
          const done = await this.buffers.runApart(() => work(transaction), outlet);
          await atEnd?.(executor);
          return done;
        });
      } finally {
        open.isOver = true;
      }
    });
    await this.#handOver(accepted);
    return result;
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
      accepted.length = Math.min(before, accepted.length);
      throw error;
    }
  }

  /** The transaction has committed: whoever called must not be told that it failed. */
  async #handOver(emissions: readonly Emission[]): Promise<void> {
    const [first] = emissions;
    if (first === undefined) return;
    try {
      await this.pipeline.handOver(emissions);
    } catch (error) {
      const reason = this.pipeline.state === 'closed' ? 'shutdown' : 'overflow';
      signal('emissions:emission:dropped', () => ({
        ...{ reason, emission: first.name, count: emissions.length },
      }));
      this.#logger.error(
        `A transaction has committed, and ${emissions.length} emissions of it, '${first.name}' first, could not be handed over to ` +
          `adapters and handlers that are not durable.`,
        error instanceof Error ? error.stack : error,
      );
    }
  }
}

function refuseNoSource(source: unknown, work: unknown): void {
  const { begin } = Object(source) as Partial<TransactionSource>;
  if (typeof begin === 'function' && typeof work === 'function') return;
  throw new ConfigurationError(
    `transaction takes what opens transactions and the work, such as transaction(fromPg(pool), async (client) => { … }) with fromPg ` +
      `of nestjs-emissions/durable, but got ${quote(source)} and ${quote(work)}.`,
  );
}
