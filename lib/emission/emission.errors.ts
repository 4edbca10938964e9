import type { Emission } from './emission.js';
import { EmissionsError } from './emissions.error.js';
import { quote } from './quote.js';

/** Thrown at start-up when an option is unknown, of the wrong type or impossible. The message names the option. */
export class ConfigurationError extends EmissionsError {
  constructor(message: string, options?: ErrorOptions) {
    super('EMISSIONS_CONFIGURATION', message, options);
  }
}

/** Thrown by `emit` when what it was given is no emission: a missing or malformed name, tenant, key or time to live. */
export class InvalidEmissionError extends EmissionsError {
  constructor(message: string, options?: ErrorOptions) {
    super('EMISSIONS_INVALID', message, options);
  }
}

/** Thrown by `emit` when a payload or its metadata holds something that cannot be copied. `path` leads to the culprit. */
export class PayloadError extends EmissionsError {
  constructor(
    /** Where the culprit sits, as one would write it in code: `payload.items[2].callback`. */
    readonly path: string,
    reason: string,
    options?: ErrorOptions,
  ) {
    super(
      'EMISSIONS_PAYLOAD',
      `${path} cannot be emitted: ${reason}. Emit plain data (strings, numbers, dates, arrays, objects, maps, sets, bytes), ` +
        `or a class instance made of these.`,
      options,
    );
  }
}

/** Thrown where a pattern is registered and is no pattern, and once per name by one that takes too long to match it. */
export class PatternError extends EmissionsError {
  /** @param owner whose pattern it is, where that is known */
  constructor(
    /** What was given. */
    readonly pattern: unknown,
    /** Why it is none. */
    readonly reason: string,
    options?: ErrorOptions,
    owner?: string,
  ) {
    const whose = owner === undefined ? '' : ` It is that of ${owner}.`;
    super(
      'EMISSIONS_PATTERN',
      `The pattern ${quote(pattern)} is refused: ${reason}.${whose}`,
      options,
    );
  }

  /** The same, which says whose pattern it is. */
  of(owner: string): PatternError {
    return new PatternError(this.pattern, this.reason, { cause: this }, owner);
  }
}

/**
 * A `flush()` or `commit()` that nobody waited for came to its end after the transaction, or the savepoint, that it was part of. Nothing
 * of it is stored or handed over.
 */
export class TransactionOverError extends EmissionsError {
  constructor() {
    super(
      'EMISSIONS_TRANSACTION_OVER',
      `The transaction, or savepoint, in which these were handed over ended before they were stored, and nobody gets them. Await ` +
        `flush() and commit() within the work that is passed to transaction().`,
    );
  }
}

/** What is logged is the message. */
function reasonOf({ cause }: ErrorOptions = {}): string {
  return cause instanceof Error ? `: ${cause.message.replace(/\.$/, '')}` : '';
}

/**
 * Throw it from `deliver` when only some emissions of a batch failed: those, and only those, are retried (in their order);
 * the others count as delivered.
 */
export class PartialDeliveryError extends EmissionsError {
  constructor(
    /** What was not delivered. Emissions that were not part of the batch are ignored. */
    readonly failed: readonly Emission[],
    options?: ErrorOptions,
  ) {
    super(
      'EMISSIONS_PARTIAL_DELIVERY',
      `${failed.length} of the batch could not be delivered${reasonOf(options)}.`,
      options,
    );
  }
}
