import { InvalidEmissionError } from './emission.errors.js';
import { quote } from './quote.js';

const MAX_LENGTH = 256;
// eslint-disable-next-line no-control-regex
const FORBIDDEN = /[\s*\u0000-\u001f\u007f]/;

/** @throws InvalidEmissionError unless the value can name an emission */
export function assertName(name: unknown): asserts name is string {
  if (typeof name === 'string' && name !== '' && name.length <= MAX_LENGTH && !FORBIDDEN.test(name))
    return;
  throw new InvalidEmissionError(
    `An emission's name is a string of 1 to ${MAX_LENGTH} characters without white space and "*", such as ` +
      `'order.created', but got ${quote(name)}.`,
  );
}
