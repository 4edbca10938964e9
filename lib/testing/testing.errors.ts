import { EmissionsError } from '../emission/emissions.error.js';

/** A test expected of the emissions what was not so. */
export class ExpectationError extends EmissionsError {
  constructor(message: string) {
    super('EMISSIONS_EXPECTATION', message);
  }
}
