import type { SqlExecutor } from '../emission/sql-executor.js';
import { NoAnswerError } from './durable.errors.js';

/** Waits for something no longer than so many milliseconds; what is not done by then goes on. */
export async function atMost(ms: number, work: Promise<unknown>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  try {
    await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * What a database answers.
 *
 * @throws NoAnswerError when that takes longer than so many milliseconds; what it answers then is let go of
 */
export async function inTime<T>(answer: Promise<T>, ms: number): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new NoAnswerError(ms)), ms);
  try {
    return await Promise.race([answer, promise]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Has pg close a connection that does not answer for so long: a pool would go on counting it. None, where the database is not reached
 * through pg, which alone takes a statement with a time of its own.
 */
export async function impatient(
  database: SqlExecutor,
  ms: number,
): Promise<SqlExecutor | undefined> {
  const timed: SqlExecutor = {
    executeSql: (text, values) => database.executeSql({ text, query_timeout: ms } as never, values),
  };
  return timed.executeSql('SELECT 1').then(
    () => timed,
    () => undefined,
  );
}
