import { Logger } from '@nestjs/common';
import type { PgBoss } from 'pg-boss';
import { ConfigurationError } from '../../emission/emission.errors.js';
import type { SqlExecutor } from '../../emission/sql-executor.js';
import { withDatabase } from '../database/database-failure.js';
import type {
  Claim,
  DeliveryQueue,
  FailedClaim,
  OwedEmission,
  QueueCounts,
  QueuedDelivery,
} from '../delivery/delivery.js';
import type { DeliveryFilter, DeliveryStore } from '../delivery/delivery.store.js';
import { DeliveriesNotStoredError } from '../durable.errors.js';
import type { DurableOptions } from '../durable.options.js';
import { DIALECTS, type Dialect } from './dialect.js';
import { Embedded } from '../database/embedded.database.js';
import { impatient, inTime } from '../in-time.js';
import { partnerOf } from '../delivery/queue-name.js';
import { PgBossClaims } from './pg-boss.claims.js';
import { openPgBoss } from './pg-boss.connection.js';
import { channelOf, MOST_DUE, statementsOf, type Statements } from './pg-boss.statements.js';
import { queuedDeliveryOf } from './queued-delivery.js';
import { makeIndexes } from './pg-boss.start.js';

const NOBODY: ReadonlySet<string> = new Set();
/** pg-boss hands one delivery of a key out at a time, in order, and none while one of them is to be retried or is dead. */
const KEYED = 'key_strict_fifo';
/** The id of no delivery. */
const NO_DELIVERY = '00000000-0000-0000-0000-000000000000';

/**
 * Keeps deliveries in the tables of pg-boss, which makes and migrates them, deletes what has been kept long enough, and hands out
 * claims; its dashboard shows them. What it has no call for, or none that does it in one step, is a statement of our own.
 */
export class PgBossStore implements DeliveryStore {
  readonly #logger = new Logger('Emissions');
  readonly #options: DurableOptions;
  readonly #dialect: Dialect;
  readonly #sql: Statements;
  readonly #embedded: Embedded | undefined;
  readonly #claims: PgBossClaims;
  #boss: PgBoss | undefined;
  /** What closes connections that are silent. */
  #impatient: SqlExecutor | undefined;
  #listening: Promise<{ close(): Promise<void> } | undefined> | undefined;

  constructor(options: DurableOptions) {
    this.#options = options;
    this.#dialect = DIALECTS[options.backend];
    this.#sql = statementsOf(options.schema, this.#dialect);
    this.#claims = new PgBossClaims(this.#sql, options.backend === 'postgres');
    this.#embedded = options.embedded === undefined ? undefined : new Embedded(options.embedded);
  }

  open(): Promise<void> {
    return withDatabase(this.#options, () => this.#open());
  }

  prepare(queues: readonly DeliveryQueue[]): Promise<string[]> {
    return withDatabase(this.#options, () => this.#prepare(queues));
  }

  async #open(): Promise<void> {
    this.#boss = await openPgBoss(this.#options, this.#embedded);
    try {
      if (this.#embedded?.isOurs === true) await this.#run(this.#sql.orphan);
      if (this.#options.connectionString !== undefined && this.#dialect.skipsLocked) {
        this.#impatient = await impatient(this.#boss.getDb(), this.#options.answerTimeoutMs);
      }
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async #prepare(queues: readonly DeliveryQueue[]): Promise<string[]> {
    const { heartbeatMs, keepMs } = this.#options;
    const boss = this.#boss!;
    const there = new Set((await boss.getQueues()).map(({ name }) => name));
    this.#refuseForeign(queues, there);
    // Each with a key before the one without: where one is alone, it is not ours.
    for (const { name, isKeyed, maxAttempts } of queues.toSorted(
      (a, b) => Number(b.isKeyed) - Number(a.isKeyed),
    )) {
      const settings = {
        retryLimit: maxAttempts - 1,
        retryDelay: 0,
        retryBackoff: false,
        // A queue has ten seconds at least; ours are set where the deliveries are stored.
        heartbeatSeconds: Math.max(10, Math.ceil(heartbeatMs / 1_000)),
        deleteAfterSeconds: Math.ceil(keepMs / 1_000),
      };
      // oxlint-disable-next-line no-await-in-loop -- a few, once
      if (there.has(name)) await boss.updateQueue(name, settings);
      // oxlint-disable-next-line no-await-in-loop
      else await boss.createQueue(name, { ...settings, policy: isKeyed ? KEYED : 'standard' });
      // pg-boss looks a queue up when it first settles something of it, on a connection of its own: where there is one session
      // alone (PGlite), that would wait for the very transaction that settles.
      // oxlint-disable-next-line no-await-in-loop
      await boss.touch(name, NO_DELIVERY);
    }
    if (this.#options.migrate) {
      const sharesToo = queues.some(({ tenantConcurrency }) => tenantConcurrency !== undefined);
      await makeIndexes(boss, this.#options, sharesToo);
    }
    const skipping = queues.filter(({ skipsDead }) => skipsDead).map(({ name }) => name);
    if (skipping.length > 0) await this.#run(this.#sql.skip, [skipping]);
    const names = new Set(queues.map(({ name }) => name));
    return oursOf(there).filter((name) => !names.has(name));
  }

  /** An application's own queues in a pg-boss it has given have workers of their own, who would take our deliveries for theirs. */
  #refuseForeign(queues: readonly DeliveryQueue[], there: ReadonlySet<string>): void {
    const ours = new Set(oursOf(there));
    const foreign = queues.find(
      ({ name, isKeyed }) => !isKeyed && there.has(name) && !ours.has(name),
    );
    if (foreign === undefined) return;
    throw new ConfigurationError(
      `The queue '${foreign.name}' in the schema '${this.#options.schema}' is somebody else's. Call the handler otherwise, ` +
        `@OnEmission(…, { durable: true, id: '…' }), or give deliveries a schema of their own.`,
    );
  }

  async accept(owed: readonly OwedEmission[], executor?: SqlExecutor): Promise<number> {
    const emissions = owed.map(({ id, data, key, tenant, delayMs }, ord) => ({
      ...{ ord, id, data, delay: delayMs },
      key: key === undefined ? undefined : laneOf(key),
      tenant: tenant === undefined ? undefined : laneOf(tenant),
    }));
    const targets = owed.flatMap((each, ord) =>
      each.owed.map(({ queue, priority }) => ({ ord, queue, priority })),
    );
    const storing = (executor ?? this.#db).executeSql(this.#sql.accept, [
      JSON.stringify(emissions),
      JSON.stringify(targets),
      Math.ceil(this.#options.heartbeatMs / 1_000),
    ]);
    // A transaction has a time of its own.
    const { rows } = await (executor === undefined ? this.#inTime(storing) : storing);
    const { stored, missing } = rows[0] as { stored: number; missing: string[] | null };
    if (missing !== null) {
      throw new DeliveriesNotStoredError(
        `the queues ${missing.join(', ')} are gone from the schema '${this.#options.schema}'. They are made when the application starts.`,
      );
    }
    return Number(stored);
  }

  async claim(queue: DeliveryQueue, limit: number): Promise<Claim[]> {
    const claiming = this.#claims.claim(
      { boss: this.#boss!, db: this.#db, through: this.#through() },
      queue,
      limit,
    );
    try {
      return await this.#inTime(claiming);
    } catch (error) {
      // What comes too late is for others.
      claiming.then((late) => this.release(queue.name, late, 0)).catch(() => {});
      throw error;
    }
  }

  async complete(
    queue: string,
    claims: readonly Claim[],
    executor?: SqlExecutor,
  ): Promise<ReadonlySet<string>> {
    const settling = this.#boss!.complete(queue, claims.map(attemptOf), null, {
      ...this.#through(executor),
    });
    return settledOf(await (executor === undefined ? this.#inTime(settling) : settling));
  }

  async touch(queue: string, claims: readonly Claim[]): Promise<ReadonlySet<string>> {
    return settledOf(
      await this.#inTime(this.#boss!.touch(queue, claims.map(attemptOf), this.#through())),
    );
  }

  async fail(
    { name, skipsDead }: DeliveryQueue,
    failed: readonly FailedClaim[],
  ): Promise<ReadonlySet<string>> {
    const rows = failed.map(({ claim: { id, attempt }, error, delayMs }) => ({
      ...{ id, attempt, error, delay: delayMs },
    }));
    const failing = this.#runSoon(this.#sql.fail, [name, JSON.stringify(rows), skipsDead]);
    return idsOf(await this.#inTime(failing));
  }

  async release(
    queue: string,
    claims: readonly Claim[],
    delayMs: number,
  ): Promise<ReadonlySet<string>> {
    const rows = claims.map(({ id, attempt }) => ({ id, attempt }));
    const releasing = this.#runSoon(this.#sql.release, [queue, JSON.stringify(rows), delayMs]);
    return idsOf(await this.#inTime(releasing));
  }

  async rescue(queues: readonly DeliveryQueue[]): Promise<string[]> {
    const names = queues.map(({ name }) => name);
    const skipping = queues.filter(({ skipsDead }) => skipsDead).map(({ name }) => name);
    const rows = await this.#inTime(this.#runSoon(this.#sql.rescue, [names, skipping]));
    await this.#inTime(this.#runSoon(this.#sql.adopt, [names, skipping]));
    return [...new Set(rows.map(({ name }) => name as string))];
  }

  async due(queues: readonly string[]): Promise<string[]> {
    const due = await this.#inTime(this.#runSoon(this.#sql.due, [queues]));
    const names = due.map(({ name }) => name as string);
    const isAll = Number(due[0]?.['moved'] ?? 0) < MOST_DUE;
    return isAll ? names : [...new Set([...names, ...(await this.due(queues))])];
  }

  async listen(hint: (queue?: string) => void): Promise<void> {
    if (!this.#dialect.notifies) return;
    this.#listening = this.#listen(hint);
    await this.#listening;
  }

  async #listen(hint: (queue?: string) => void): Promise<{ close(): Promise<void> } | undefined> {
    const database = this.#boss!.getDb();
    try {
      return await database.listen?.(channelOf(this.#options.schema), hint, () => hint());
    } catch (error) {
      this.#logger.warn(
        `Notifications of the database cannot be had (${String(error)}): deliveries of other processes are found by looking every ` +
          `${this.#options.pollMs} ms. A connection pooler in transaction mode is one reason.`,
      );
      return undefined;
    }
  }

  async find(queues: readonly string[], ids: readonly string[]): Promise<QueuedDelivery[]> {
    return (await this.#run(this.#sql.find, [queues, ids])).map(queuedDeliveryOf);
  }

  async findDead(filter: DeliveryFilter): Promise<QueuedDelivery[]> {
    const { limit = 100 } = filter;
    const rows = await this.#run(this.#sql.findDead, [...parametersOf(filter), limit]);
    return rows.map(queuedDeliveryOf);
  }

  async retry(filter: DeliveryFilter): Promise<{ id: string; queue: string }[]> {
    return (await this.#run(this.#sql.retry, parametersOf(filter))) as never;
  }

  async discard(filter: DeliveryFilter): Promise<{ id: string; queue: string }[]> {
    return (await this.#run(this.#sql.discard, parametersOf(filter))) as never;
  }

  async queues(): Promise<string[]> {
    return oursOf(new Set((await this.#boss!.getQueues()).map(({ name }) => name)));
  }

  async counts(queues: readonly string[]): Promise<QueueCounts[]> {
    const rows = await this.#run(this.#sql.counts, [queues]);
    // Some databases count in numbers that come as text.
    return rows.map(({ queue, waiting, delayed, running, dead, ...others }) => ({
      queue: queue as string,
      waiting: Number(waiting),
      delayed: Number(delayed),
      running: Number(running),
      dead: Number(dead),
      blockedKeys: Number(others['blocked_keys']),
      oldestAt: (others['oldest_at'] as Date | null) ?? undefined,
    }));
  }

  async blockedKeys(queues: readonly string[]): Promise<string[]> {
    const rows = await this.#run(this.#sql.blockedKeys, [queues]);
    return rows.map(({ key }) => key as string);
  }

  async close(): Promise<void> {
    // One that is still connecting keeps no other open, and is closed when it is there.
    const deaf = this.#listening?.then((listening) => listening?.close());
    const own = this.#options.boss === undefined ? this.#boss : undefined;
    await Promise.all([deaf, own?.stop({ graceful: false })]);
    await this.#embedded?.close();
  }

  /** One session alone has nobody else to ask. */
  #inTime<T>(answer: Promise<T>): Promise<T> {
    return this.#embedded === undefined ? inTime(answer, this.#options.answerTimeoutMs) : answer;
  }

  async #runSoon(text: string, values: unknown[]): Promise<Record<string, unknown>[]> {
    return (await this.#db.executeSql(text, values)).rows as Record<string, unknown>[];
  }

  /** What pg-boss is told to use: what it has itself, if nothing else is said. */
  #through(executor: SqlExecutor | undefined = this.#impatient): { db?: SqlExecutor } {
    return executor === undefined ? {} : { db: executor };
  }

  get #db(): SqlExecutor {
    return this.#impatient ?? this.#boss!.getDb();
  }

  async #run(text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
    return (await this.#boss!.getDb().executeSql(text, values)).rows as Record<string, unknown>[];
  }
}

/** Ours come in twos; pg-boss has some for itself, and one that was given may have those of the application. */
function oursOf(queues: ReadonlySet<string>): string[] {
  return [...queues].filter((name) => queues.has(partnerOf(name)));
}

/** What PostgreSQL takes as text. Keys that differ in what it does not take share a lane, which harms nobody. */
function laneOf(key: string): string {
  return key.toWellFormed().replaceAll('\0', '\ufffd');
}

function attemptOf({ id, attempt }: Claim): { id: string; retryCount: number } {
  return { id, retryCount: attempt - 1 };
}

function settledOf(response: unknown): ReadonlySet<string> {
  const { settled } = response as { settled?: string[] };
  return settled === undefined ? NOBODY : new Set(settled);
}

function idsOf(rows: Record<string, unknown>[]): ReadonlySet<string> {
  return new Set(rows.map(({ id }) => id as string));
}

function parametersOf({ queues, ids, tenant }: DeliveryFilter): unknown[] {
  return [queues, ids ?? null, tenant === undefined ? null : laneOf(tenant)];
}
