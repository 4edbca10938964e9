import { EmissionsError } from '../emission/emissions.error.js';

/** A test expected of the emissions what was not so. */
export class ExpectationError extends EmissionsError {
  /** @param asked made where the test asked, when that is over: its stack leads to the line of the test */
  constructor(message: string, asked?: Error) {
    super('EMISSIONS_EXPECTATION', message);
    const [, ...frames] = asked?.stack?.split('\n') ?? [];
    if (frames.length > 0) this.stack = [`${this.name}: ${message}`, ...frames].join('\n');
  }
}

/** A helper was called in a way that cannot work; the message says how it works. */
export class TestingError extends EmissionsError {
  constructor(message: string, options?: ErrorOptions) {
    super('EMISSIONS_TESTING', message, options);
  }
}
