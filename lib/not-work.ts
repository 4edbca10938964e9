import { ConfigurationError } from './emission/emission.errors.js';
import { quote } from './emission/quote.js';

/** The error for something that is no function, where work is to be run; `line` is what to write, behind `emissions.`. */
export function notWork(line: string, got: unknown): ConfigurationError {
  const [verb] = line.split('(', 1);
  return new ConfigurationError(
    `${verb} takes the work as a function, but got ${quote(got)}. Write: emissions.${line}.`,
  );
}
