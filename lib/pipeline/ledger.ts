import type { Clock } from '../emission/clock.js';
import type { Destination } from '../emission/destination.js';
import type { Emission } from '../emission/emission.js';
import type { LedgerOptions } from './ledger.options.js';

/**
 * Where an emission stands with one consumer: `pending` (queued, in a call, waiting to be retried) · `completed` · `skipped` (not
 * interested) · `ignored` (the handler returned `IGNORED`) · `failed` (given up, or it could not tell whether it is interested)
 * · `expired` · `dropped` (shed by a full queue, or left when the time to drain was over).
 */
export type ConsumerState =
  | 'pending'
  | 'completed'
  | 'skipped'
  | 'ignored'
  | 'failed'
  | 'expired'
  | 'dropped';

/** What became of an emission at one consumer. */
export interface ConsumerStatus {
  readonly kind: 'adapter' | 'handler';
  readonly name: string;
  readonly state: ConsumerState;
  /** How many calls there were. */
  readonly attempts: number;
  /** When the first call began, in epoch milliseconds. */
  readonly startedAt?: number;
  /** When it got its final state, in epoch milliseconds. */
  readonly endedAt?: number;
  /** The error of the last call that failed, also when a later one succeeded. */
  readonly error?: unknown;
}

/** What became of an emission. */
export interface EmissionStatus {
  readonly emission: Emission;
  /** When it was handed over, in epoch milliseconds. */
  readonly handedOverAt: number;
  /** How many consumers have not got to a final state. */
  readonly pending: number;
  /** Those whose pattern takes its name, and that are still there or had done with it. */
  readonly consumers: readonly ConsumerStatus[];
}

type Line = { -readonly [K in keyof ConsumerStatus]: ConsumerStatus[K] };

interface Entry {
  readonly emission: Emission;
  readonly handedOverAt: number;
  readonly lines: Map<Destination, Line>;
}

/**
 * Remembers what became of each emission at each consumer, for a while. A final state stays: whoever ends late, after a time-out
 * or shutdown had given it up, changes nothing.
 */
export class Ledger {
  readonly #options: LedgerOptions;
  readonly #clock: Clock;
  /** In the order they were handed over. */
  readonly #entries = new Map<string, Entry>();

  constructor(options: LedgerOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  /** An emission is about to be handed over to consumers; `trim` when it has been. */
  open(emission: Emission, consumers: readonly { readonly destination: Destination }[]): void {
    const lines = new Map<Destination, Line>();
    for (const { destination } of consumers) {
      const { kind, name } = destination;
      lines.set(destination, { kind, name, state: 'pending', attempts: 0 });
    }
    this.#entries.set(emission.id, { emission, handedOverAt: this.#clock.now(), lines });
  }

  /** Hands emissions over; a commit that is refused leaves nothing to remember. */
  unlessRefused(
    emissions: readonly Emission[],
    handOver: () => void | Promise<void>,
  ): void | Promise<void> {
    const refused = (error: unknown): never => {
      this.refused(emissions);
      throw error;
    };
    try {
      const waiting = handOver();
      if (waiting === undefined) return this.trim();
      return waiting.then(() => this.trim(), refused);
    } catch (error) {
      return refused(error);
    }
  }

  /** Forgets what was not handed over. */
  refused(emissions: readonly Emission[]): void {
    for (const { id } of emissions) this.#entries.delete(id);
  }

  /** Forgets what is too old, and the oldest of what is more than `capacity`. */
  trim(): void {
    const { capacity, ttlMs } = this.#options;
    const eldest = this.#clock.now() - ttlMs;
    for (const [id, { handedOverAt }] of this.#entries) {
      if (this.#entries.size <= capacity && handedOverAt >= eldest) return;
      this.#entries.delete(id);
    }
  }

  /** A call begins. */
  began(destination: Destination, emissions: readonly Emission[], attempt: number): void {
    for (const { id } of emissions) {
      const line = this.#pending(destination, id);
      if (line === undefined) continue;
      line.attempts = attempt;
      line.startedAt ??= this.#clock.now();
    }
  }

  /** A call failed; there will be another one. */
  failing(destination: Destination, emissions: readonly Emission[], error: unknown): void {
    for (const { id } of emissions) {
      const line = this.#pending(destination, id);
      if (line !== undefined) line.error = error;
    }
  }

  /** A consumer has done with emissions. */
  ended(
    destination: Destination,
    emissions: readonly Emission[],
    state: Exclude<ConsumerState, 'pending'>,
    error?: unknown,
  ): void {
    for (const { id } of emissions) {
      const line = this.#pending(destination, id);
      if (line === undefined) continue;
      line.state = state;
      line.endedAt = this.#clock.now();
      if (error !== undefined) line.error = error;
    }
  }

  /** A consumer delivers nothing further: it was removed, and no longer counts, or the application closes. */
  left(destination: Destination, reason: 'removed' | 'shutdown'): void {
    for (const { emission, lines } of this.#entries.values()) {
      if (lines.get(destination)?.state !== 'pending') continue;
      if (reason === 'removed') lines.delete(destination);
      else this.ended(destination, [emission], 'dropped');
    }
  }

  find(id: string): Emission | undefined {
    return this.#entry(id)?.emission;
  }

  status(id: string): EmissionStatus | undefined {
    const entry = this.#entry(id);
    if (entry === undefined) return undefined;
    const { emission, handedOverAt } = entry;
    const consumers = [...entry.lines.values()].map((line) => Object.freeze({ ...line }));
    const pending = consumers.filter(({ state }) => state === 'pending').length;
    return Object.freeze({
      emission,
      handedOverAt,
      pending,
      consumers: Object.freeze(consumers),
    });
  }

  #pending(destination: Destination, id: string): Line | undefined {
    const line = this.#entries.get(id)?.lines.get(destination);
    return line?.state === 'pending' ? line : undefined;
  }

  #entry(id: string): Entry | undefined {
    this.trim();
    return this.#entries.get(id);
  }
}
