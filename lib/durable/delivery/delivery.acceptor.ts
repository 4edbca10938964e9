import { Logger } from '@nestjs/common';
import type { CommitStorage, StoreCommit } from '../../emission/adapter.js';
import type { DurableDestination } from '../../emission/durable-engine.js';
import type { Emission } from '../../emission/emission.js';
import { isInterested } from '../../emission/interest.js';
import type { SqlExecutor } from '../../emission/sql-executor.js';
import { signal } from '../../telemetry/signal.js';
import type { OwedEmission } from './delivery.js';
import type { DeliveryStore } from './delivery.store.js';
import { DeliveriesNotStoredError } from '../durable.errors.js';
import { GroupCommit } from './group.commit.js';
import { queueNameOf } from './queue-name.js';
import type { EmissionStorage } from '../storage/stored-emission.js';
import { isThrown, loggable } from '../../emission/thrown.js';
import { quote } from '../../emission/quote.js';

/** Longer than the tables keep anything. */
const LONGEST_DELAY_MS = 100 * 365 * 86_400_000;

/** Stores what a commit owes to durable destinations, before anything is handed over: all of it, or the commit fails. */
export class DeliveryAcceptor implements CommitStorage {
  readonly #logger = new Logger('Emissions');
  readonly #store: DeliveryStore;
  readonly #storage: EmissionStorage;
  readonly #group: GroupCommit;
  #destinations: readonly DurableDestination[] = [];

  /** @param stored told in which queues there is something now */
  constructor(
    store: DeliveryStore,
    storage: EmissionStorage,
    stored: (queues: ReadonlySet<string>) => void,
  ) {
    this.#store = store;
    this.#storage = storage;
    this.#group = new GroupCommit(store, stored);
  }

  /** Whom it stores for from now on. */
  serve(destinations: readonly DurableDestination[]): void {
    this.#destinations = destinations;
  }

  takes(name: string): boolean {
    return this.#destinations.some((each) => this.#matches(each, name));
  }

  /** @throws whatever a destination's `interested` throws; what stores them throws DeliveriesNotStoredError */
  plan(emissions: readonly Emission[]): StoreCommit | undefined {
    const owed = emissions
      .map((emission) => this.#owedFor(emission))
      .filter((each) => each !== undefined);
    return owed.length === 0 ? undefined : (executor) => this.#keep(owed, executor);
  }

  async #keep(owed: readonly OwedEmission[], executor: SqlExecutor | undefined): Promise<void> {
    const started = performance.now();
    try {
      if (executor === undefined) await this.#group.add(owed);
      else await this.#store.accept(owed, executor);
    } catch (error) {
      if (isThrown(error, DeliveriesNotStoredError)) throw error;
      throw new DeliveriesNotStoredError(isThrown(error, Error) ? error.message : quote(error), {
        cause: error,
      });
    }
    signal('emissions:delivery:enqueued', () => ({
      count: owed.flatMap((each) => each.owed).length,
      emission: String(owed[0]!.data.emission['name']),
      durationMs: performance.now() - started,
    }));
  }

  #owedFor(emission: Emission): OwedEmission | undefined {
    const takers = this.#destinations.filter(
      (each) => this.#matches(each, emission.name) && this.#wants(each, emission),
    );
    if (takers.length === 0) return undefined;
    const { id, key, tenant, delayMs = 0 } = emission;
    const owed = takers.map(({ destination }) => ({
      queue: queueNameOf(destination, key !== undefined),
      priority: destination.priority,
    }));
    const data = this.#storage.store(emission);
    return { id, data, key, tenant, delayMs: Math.min(delayMs, LONGEST_DELAY_MS), owed };
  }

  /** A pattern that fails to answer takes nothing, and the failure is signalled. */
  #matches({ destination }: DurableDestination, name: string): boolean {
    try {
      return destination.matches(name);
    } catch (error) {
      this.#signalFailure(destination.name, name, error);
      this.#logger.error(
        `The durable handler ${destination.name} does not take '${name}'.`,
        loggable(error),
      );
      return false;
    }
  }

  #wants({ destination }: DurableDestination, emission: Emission): boolean {
    try {
      return isInterested(destination.adapter, emission);
    } catch (error) {
      this.#signalFailure(destination.name, emission.name, error);
      throw error;
    }
  }

  #signalFailure(handler: string, emission: string, error: unknown): void {
    const failure = {
      phase: 'interested',
      emission,
      count: 1,
      durationMs: 0,
      attempt: 1,
      error,
    } as const;
    signal('emissions:handler:failed', () => ({ handler, ...failure }));
  }
}
