import { EmissionsError } from '../../emission/emissions.error.js';

/** A command line that cannot be understood; the message says what to write instead. */
export class UsageError extends EmissionsError {
  constructor(message: string) {
    super('EMISSIONS_USAGE', message);
  }
}
