import type { StoredEmission } from '../storage/stored-emission.js';

/** A queue of deliveries: each durable destination has one, and one more for those that have a key. */
export interface DeliveryQueue {
  readonly name: string;
  /** Whether the deliveries of one key go one behind another. */
  readonly isKeyed: boolean;
  readonly maxAttempts: number;
  /** Whether one that is dead lets those behind it pass. */
  readonly skipsDead: boolean;
  /** How many of one tenant may be at work at once. */
  readonly tenantConcurrency?: number | undefined;
}

/** One emission as it is to be stored, and the queues it is owed to. */
export interface OwedEmission {
  readonly id: string;
  readonly data: StoredEmission;
  readonly key: string | undefined;
  readonly tenant: string | undefined;
  /** How many milliseconds it is to wait. */
  readonly delayMs: number;
  readonly owed: readonly { readonly queue: string; readonly priority: number }[];
}

/** A delivery that this process works on, one attempt of it. */
export interface Claim {
  readonly id: string;
  /** 1 for the first. With the id it names the attempt: who holds an older one can change nothing any more. */
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly data: StoredEmission;
  /** When it was stored. */
  readonly storedAt: Date;
}

/** What went wrong with one attempt, as it is kept. */
export interface KeptError {
  readonly attempt: number;
  readonly at: string;
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
  readonly code?: string;
}

/** An attempt that failed. */
export interface FailedClaim {
  readonly claim: Claim;
  readonly error: KeptError;
  /** The pause before the next attempt, in milliseconds; none: there is none, the delivery is dead. */
  readonly delayMs: number | undefined;
}

/** Where a delivery stands. */
export type DeliveryState = 'waiting' | 'running' | 'completed' | 'dead' | 'discarded';

/** A delivery as it is looked at by people. */
export interface Delivery {
  /** The id of its emission. */
  readonly id: string;
  readonly handler: string;
  readonly state: DeliveryState;
  /** The name of its emission. */
  readonly emission: string;
  readonly tenant: string | undefined;
  readonly key: string | undefined;
  /** How many attempts have begun. */
  readonly attempts: number;
  readonly maxAttempts: number;
  readonly storedAt: Date;
  /** When it is due, while it waits. */
  readonly dueAt: Date;
  readonly endedAt: Date | undefined;
  /** What went wrong, the latest last; the first of very many are left out. */
  readonly errors: readonly KeptError[];
}

/** How many deliveries one queue has, by where they stand. */
export interface QueueCounts {
  readonly queue: string;
  readonly waiting: number;
  /** Of those waiting, how many are not due yet. */
  readonly delayed: number;
  readonly running: number;
  readonly dead: number;
  /** How many keys have a dead one that holds back what is behind it. */
  readonly blockedKeys: number;
  /** Since when the oldest that is due waits. */
  readonly oldestAt: Date | undefined;
}

/** What a row says about where its delivery stands, with the queue in the place of the handler. */
export type QueuedDelivery = Omit<Delivery, 'handler'> & { readonly queue: string };
