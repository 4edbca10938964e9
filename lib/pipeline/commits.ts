import type { CommitParticipant, CommitStorage } from '../emission/adapter.js';
import type { Emission } from '../emission/emission.js';
import type { SqlExecutor } from '../emission/sql-executor.js';
import type { Tracer, Tracing } from '../emission/tracing.js';
import type { Place } from './place.js';

/** Where what is accepted goes. */
export interface CommitHost {
  /** Hands over to everyone who wants them; a promise when it has to wait. @throws when it cannot */
  handOver(emissions: readonly Emission[]): void | Promise<void>;
  /** Makes room with everyone who wants them. @throws when there is none */
  reserve(emissions: readonly Emission[]): Promise<Place>;
  /** A commit is no longer in progress. */
  settle(): void;
}

/**
 * Takes commits through what comes before the queues, each step for all of a commit or not at all:
 *
 * ```
 *   participants ──▶ owes anything? ──no───────────────────────▶ handed over
 *   (may add)              └─yes─▶ room is made ──▶ stored ──▶ handed over
 * ```
 *
 * Room is made first, as what is stored cannot be refused any more.
 */
export class Commits {
  readonly #host: CommitHost;
  readonly #tracing: Tracing;
  readonly #participants: CommitParticipant[] = [];
  #storage: CommitStorage | undefined;
  #inProgress = 0;

  constructor(host: CommitHost, tracing: Tracing) {
    this.#host = host;
    this.#tracing = tracing;
  }

  /** How many commits wait for a participant or for being stored. */
  get inProgress(): number {
    return this.#inProgress;
  }

  join(participant: CommitParticipant): void {
    this.#participants.push(participant);
  }

  storeWith(storage: CommitStorage): void {
    this.#storage = storage;
  }

  /** All of it; a promise only when something has to be waited for. */
  offer(emissions: readonly Emission[]): void | Promise<void> {
    const { tracer } = this.#tracing;
    return tracer === undefined ? this.#offer(emissions) : this.#offerTraced(emissions, tracer);
  }

  /** All but the hand-over, which is left to be done when the transaction has ended. */
  async accept(emissions: readonly Emission[], executor: SqlExecutor): Promise<Place> {
    const { tracer } = this.#tracing;
    return tracer === undefined
      ? this.#accept(emissions, executor)
      : tracer.commit(emissions, () => this.#accept(emissions, executor));
  }

  #offerTraced(emissions: readonly Emission[], tracer: Tracer): void | Promise<void> {
    return tracer.commit(emissions, () => this.#offer(emissions));
  }

  #offer(emissions: readonly Emission[]): void | Promise<void> {
    for (const participant of this.#participants) {
      const accepted = participant.accept(emissions);
      // Mostly nothing is added, and that it is no promise need not be found out.
      if (accepted === emissions) continue;
      if (accepted instanceof Promise) return this.#offerAccepted(accepted, participant);
      emissions = accepted;
    }
    return this.#finish(emissions);
  }

  #offerAccepted(accepted: Promise<readonly Emission[]>, by: CommitParticipant): Promise<void> {
    const others = this.#participants.slice(this.#participants.indexOf(by) + 1);
    return this.#counted(async () => {
      let emissions = await accepted;
      // oxlint-disable-next-line no-await-in-loop -- one behind another
      for (const participant of others) emissions = await participant.accept(emissions);
      await this.#finish(emissions);
    });
  }

  async #accept(emissions: readonly Emission[], executor: SqlExecutor): Promise<Place> {
    for (const participant of this.#participants) {
      // oxlint-disable-next-line no-await-in-loop -- one behind another
      emissions = await participant.accept(emissions, executor);
    }
    const store = this.#storage?.plan(emissions);
    return this.#store(emissions, () => store?.(executor));
  }

  #finish(emissions: readonly Emission[]): void | Promise<void> {
    const store = this.#storage?.plan(emissions);
    return store === undefined
      ? this.#host.handOver(emissions)
      : this.#handOverStored(emissions, store);
  }

  #handOverStored(emissions: readonly Emission[], store: () => Promise<void>): Promise<void> {
    return this.#counted(async () => (await this.#store(emissions, store)).redeem());
  }

  async #store(
    emissions: readonly Emission[],
    store: () => Promise<void> | undefined,
  ): Promise<Place> {
    const place = await this.#host.reserve(emissions);
    try {
      await store();
    } catch (error) {
      place.release();
      throw error;
    }
    return place;
  }

  async #counted(work: () => Promise<void>): Promise<void> {
    this.#inProgress++;
    try {
      await work();
    } finally {
      this.#inProgress--;
      this.#host.settle();
    }
  }
}
