import { Logger } from '@nestjs/common';
import type { Destination } from '../../emission/destination.js';
import type { Emission } from '../../emission/emission.js';
import type { DeliveryMessage } from '../../telemetry/channels.js';
import { signal } from '../../telemetry/signal.js';
import type { Claim, FailedClaim } from '../delivery/delivery.js';
import { DeliveryLostError, type UnknownTypeError } from '../durable.errors.js';
import { isThrown, loggable } from '../../emission/thrown.js';
import { quote } from '../../emission/quote.js';

const SILENCE_MS = 10_000;

/** Tells signals and logs what becomes of one destination's deliveries. */
export class DeliveryReport {
  readonly #logger = new Logger('Emissions');
  readonly #destination: Destination;
  readonly #unknown = new Set<string>();
  #troubledAt = Number.NEGATIVE_INFINITY;

  constructor(destination: Destination) {
    this.#destination = destination;
  }

  completed(claims: readonly Claim[]): void {
    for (const claim of claims)
      signal('emissions:delivery:completed', () => ({
        ...this.#about(claim),
        // The clock of the database may be ahead.
        waitedMs: Math.max(0, Date.now() - claim.storedAt.getTime()),
      }));
  }

  failed(failed: readonly FailedClaim[]): void {
    for (const { claim, error, delayMs } of failed) {
      const about = { ...this.#about(claim), error };
      if (delayMs !== undefined) {
        signal('emissions:delivery:failed', () => ({ ...about, delayMs }));
        continue;
      }
      signal('emissions:delivery:dead', () => about);
      this.#logger.error(
        `${this.#destination.name} gave up on '${about.emission}' ${claim.id} after attempt ${claim.attempt} of ${claim.maxAttempts}: ` +
          `${error.message}. It is kept: see DurableDeliveries.failed, retry and discard.`,
        error.stack,
      );
    }
  }

  expired(emission: Emission): void {
    signal('emissions:emission:expired', () => ({
      emission: emission.name,
      count: 1,
      consumer: this.#destination.name,
    }));
  }

  /** Another worker has them. */
  lost(claims: readonly Claim[]): void {
    for (const claim of claims) {
      const error = new DeliveryLostError(this.#destination.name, claim.id, claim.attempt);
      signal('emissions:delivery:failed', () => ({ ...this.#about(claim), error, delayMs: 0 }));
      this.#logger.warn(error.message);
    }
  }

  /** One needs a class that is not known here; each is said once. */
  unknown({ type, message }: UnknownTypeError): void {
    const about = { reason: 'type', consumer: this.#destination.name, count: 1, type } as const;
    signal('emissions:delivery:unknown', () => about);
    if (this.#unknown.has(message)) return;
    this.#unknown.add(message);
    this.#logger.warn(`${message} It waits for a process that does.`);
  }

  /** A handler failed after it had completed its delivery in a transaction. */
  tooLate({ id }: Claim, error: unknown): void {
    this.#logger.error(
      `${this.#destination.name} threw after it had completed ${id} in a transaction: it is not run again.`,
      loggable(error),
    );
  }

  /** The database does not answer; said now and then. */
  troubled(error: unknown): void {
    const now = performance.now();
    if (now - this.#troubledAt < SILENCE_MS) return;
    this.#troubledAt = now;
    this.#logger.warn(
      `Deliveries of ${this.#destination.name} wait for the database, which is asked again: ${isThrown(error, Error) ? error.message : quote(error)}`,
    );
  }

  #about({ id, attempt, data }: Claim): DeliveryMessage {
    return {
      consumer: this.#destination.name,
      emission: String(data.emission['name']),
      id,
      count: 1,
      attempt,
    };
  }
}
