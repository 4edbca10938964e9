import type { Emission } from '../emission/emission.js';
import { EmissionsError } from '../emission/emissions.error.js';
import { quote } from '../emission/quote.js';

/** An emission could not be written as a record; it fails alone, and what it was batched with goes. */
export class RecordError extends EmissionsError {
  constructor(emission: Emission, reason: unknown) {
    super(
      'EMISSIONS_RECORD',
      `The emission '${emission.name}' (${emission.id}) cannot be written as a record: ${quote(reason)}. ` +
        `Emit what JSON can hold, or give the adapter a format of your own: format: (emission) => ({ body, contentType }).`,
      { cause: reason },
    );
  }
}

/** A broker could not be reached, went away, or did not answer in time. What was sent meanwhile may have arrived all the same. */
export class BrokerConnectionError extends EmissionsError {
  constructor(message: string, options?: ErrorOptions) {
    super('EMISSIONS_BROKER_CONNECTION', message, options);
  }
}

/** A broker, or whoever receives, answered that it does not take a record. */
export class BrokerRefusedError extends EmissionsError {
  constructor(message: string, options?: ErrorOptions) {
    super('EMISSIONS_BROKER_REFUSED', message, options);
  }
}

/** Whatever was thrown or rejected with, as an error: some libraries reject with strings and plain objects. */
export function asError(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown;
  const { err } = (thrown ?? {}) as { err?: unknown };
  if (err instanceof Error) return err;
  return new BrokerConnectionError(typeof thrown === 'string' ? thrown : quote(thrown), {
    cause: thrown,
  });
}

/** What an error says, to go on in a sentence. */
export function messageOf(thrown: unknown): string {
  return asError(thrown).message.replace(/\.$/, '');
}
