import type { CommitStorage } from './adapter.js';
import type { Destination } from './destination.js';
import type { EmissionClass } from './emission-type.decorator.js';
import type { Emission } from './emission.js';
import type { DurableSettings } from './durable.settings.js';
import type { Transact } from './transaction-source.js';

/**
 * The token that an engine for durable deliveries is provided under; there is one at most. The testing kit puts one in its place
 * that stores nothing.
 */
export const DURABLE_ENGINE: symbol = Symbol('nestjs-emissions:durable-engine');

/** A destination whose emissions are stored until it has taken them. */
export interface DurableDestination {
  readonly destination: Destination;
  readonly settings: DurableSettings;
}

/** What an engine is to see to. */
export interface DurablePlan {
  readonly destinations: readonly DurableDestination[];
  /** Classes that payloads may be instances of. */
  readonly types: readonly EmissionClass[];
  /** What was committed before, and is to be stored now. */
  readonly early: readonly Emission[];
  /** Runs work in a transaction, together with what it emits. */
  readonly transact: Transact;
}

/** What is stored for one durable destination of this application, by all processes, and not done with. */
export interface DurableBacklog {
  readonly kind: 'adapter' | 'handler';
  /** The adapter's name or the handler's id. */
  readonly consumer: string;
  /** What is to be tried, again or for the first time, due or not. */
  readonly waiting: number;
  readonly running: number;
  /** What was given up on, and is kept until somebody retries or discards it. */
  readonly dead: number;
  /** How many keys have something that waits behind a dead one. */
  readonly blockedKeys: number;
  /** For how many milliseconds the oldest that is due has been stored; 0 when none is. */
  readonly oldestMs: number;
}

/** What the application starts and stops when it has durable destinations; the engine itself stands above. */
export interface DurableEngine {
  /** Asked in every commit. */
  readonly acceptor: CommitStorage;
  /** Whether a durable destination takes emissions of this name. */
  takes(name: string): boolean;
  /** Looks at what is stored; rejects when that cannot be looked at. */
  backlog(): Promise<readonly DurableBacklog[]>;
  /** Connects and makes ready what the destinations need. Called once, before anything is started. */
  open(plan: DurablePlan): Promise<void>;
  /** Begins to work off what is stored. */
  start(): void;
  /** Takes nothing more up, and resolves when what is being worked on is done, or its time is over. */
  drain(): Promise<void>;
  /** Closes what was opened. */
  close(): Promise<void>;
}
