import type { SqlExecutor } from '../../emission/sql-executor.js';
import type { ExecutorSource } from '../../emission/transaction-source.js';

/** How long Prisma waits for a transaction and lets it last, and its isolation, as its `$transaction` takes them. */
export interface PrismaTransactionOptions {
  /** How many milliseconds it may take to get a connection; 2000 unless said otherwise. */
  maxWait?: number;
  /** After how many milliseconds Prisma rolls it back; 5000 unless said otherwise. */
  timeout?: number;
  isolationLevel?: any;
}

/** What is needed of a client of Prisma; `Tx` is what its interactive transactions give. */
export interface PrismaDatabase<Tx> {
  $transaction<T>(
    work: (transaction: Tx) => Promise<T>,
    options?: PrismaTransactionOptions,
  ): Promise<T>;
}

/**
 * Interactive transactions of Prisma on PostgreSQL: `emissions.transaction(fromPrisma(prisma), async (tx) => { … })`. Prisma rolls
 * back what lasts longer than five seconds, unless `options` say otherwise.
 */
export function fromPrisma<Tx>(
  prisma: PrismaDatabase<Tx>,
  options?: PrismaTransactionOptions,
): ExecutorSource<Tx> {
  const executorOf = async (tx: Tx): Promise<SqlExecutor> =>
    (await import('pg-boss')).fromPrisma(tx as never);
  return {
    source: prisma,
    executorOf,
    begin: (work) => prisma.$transaction(async (tx) => work(tx, await executorOf(tx)), options),
  };
}
