import type { SqlExecutor } from '../../emission/sql-executor.js';
import type {
  Claim,
  DeliveryQueue,
  FailedClaim,
  OwedEmission,
  QueueCounts,
  QueuedDelivery,
} from './delivery.js';

/** Which deliveries are meant. */
export interface DeliveryFilter {
  readonly queues: readonly string[];
  readonly tenant?: string | undefined;
  readonly ids?: readonly string[] | undefined;
  readonly limit?: number | undefined;
}

/**
 * Where deliveries are kept: the port that another engine would stand behind.
 *
 * A claim belongs to who made it until it is completed, failed or released, or its worker was silent for too long and `rescue`
 * gave it to others. Whatever is then done with it changes nothing: `complete`, `fail`, `release` and `touch` return the ids of
 * those that were still held.
 */
export interface DeliveryStore {
  /** Connects, and makes and migrates the tables, unless that is not for this process to do. */
  open(): Promise<void>;
  /** Makes the queues, or changes those there are. Returns the names of queues that are not among them. */
  prepare(queues: readonly DeliveryQueue[]): Promise<string[]>;
  /**
   * Stores what is owed, all of it or nothing, in this order; once, however often it is called with the same ids. Within the
   * executor's transaction, when there is one.
   *
   * @returns how many deliveries were stored
   */
  accept(owed: readonly OwedEmission[], executor?: SqlExecutor): Promise<number>;
  /** Takes up to so many deliveries that are due: by priority, then in the order they were stored; of a keyed queue at most one of each key. */
  claim(queue: DeliveryQueue, limit: number): Promise<Claim[]>;
  complete(
    queue: string,
    claims: readonly Claim[],
    executor?: SqlExecutor,
  ): Promise<ReadonlySet<string>>;
  fail(queue: DeliveryQueue, failed: readonly FailedClaim[]): Promise<ReadonlySet<string>>;
  /** Gives back what was not begun: that was no attempt. */
  release(queue: string, claims: readonly Claim[], delayMs: number): Promise<ReadonlySet<string>>;
  /** Says that they are still being worked on. */
  touch(queue: string, claims: readonly Claim[]): Promise<ReadonlySet<string>>;
  /** Lets deliveries run again whose worker is silent. Returns the queues that have some. */
  rescue(queues: readonly DeliveryQueue[]): Promise<string[]>;
  /** Which of these queues have deliveries that are due. */
  due(queues: readonly string[]): Promise<string[]>;
  /** Calls back with the name of a queue that has got something, and without one when something may have been missed. */
  listen(hint: (queue?: string) => void): Promise<void>;
  /** What became of these. */
  find(queues: readonly string[], ids: readonly string[]): Promise<QueuedDelivery[]>;
  /** The dead ones, the latest first; 100 at most, unless the filter says otherwise. */
  findDead(filter: DeliveryFilter): Promise<QueuedDelivery[]>;
  /** Lets dead deliveries run again, each in its old place. @returns those it did */
  retry(filter: DeliveryFilter): Promise<{ id: string; queue: string }[]>;
  /** Gives dead deliveries up: they hold back nobody. @returns those it did */
  discard(filter: DeliveryFilter): Promise<{ id: string; queue: string }[]>;
  /** The names of all queues there are, those of other applications too. */
  queues(): Promise<string[]>;
  counts(queues: readonly string[]): Promise<QueueCounts[]>;
  /** The keys that wait behind a dead one, sorted. */
  blockedKeys(queues: readonly string[]): Promise<string[]>;
  close(): Promise<void>;
}
