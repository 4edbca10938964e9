import { EmissionsError } from '../../emission/emissions.error.js';
import { placeOf } from './database-place.js';
import { DatabaseUnavailableError } from '../durable.errors.js';
import type { DurableOptions } from '../durable.options.js';

/** What pg says of a connection it could not make, without a code. */
const WITHOUT_CODE =
  /^(timeout (exceeded|expired)|Connection terminated|The server does not support SSL|There was an error establishing an SSL|SASL: )/;

/** System calls on sockets and names; others are about files. */
const ON_THE_WAY = /^(connect|getaddrinfo|query|read|write|shutdown)/;

/** Node's own codes, but for those of connections. */
const OF_THE_PROGRAM = /^(ERR_(?!TLS|SSL|SOCKET)|MODULE_NOT_FOUND)/;

const MENDS: readonly (readonly [code: RegExp, mend: string])[] = [
  [/^28|^SASL: /, 'Mend the user and the password there'],
  [/^3D/, 'Make it, or name another there'],
  [/^53|^57/, 'Start again when it has room, or is up'],
  [
    /^42501$/,
    'Give its user CREATE on it, to make the tables; or write migrate: false, and give the user USAGE on the schema and SELECT, INSERT, ' +
      'UPDATE and DELETE on the tables that npx nestjs-emissions migrate makes beforehand',
  ],
  [/^(?=.*\d)[0-9A-Z]{5}$/, 'See to that, or to the options schema and backend'],
];

/**
 * Does what needs the database when an application starts.
 *
 * @throws DatabaseUnavailableError for what comes from the database, or the way there
 */
export async function withDatabase<T>(
  options: Pick<DurableOptions, 'connectionString' | 'boss'>,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const place = placeOf(options);
    if (place === undefined || !isOfDatabase(error)) throw error;
    const reason = place.isKnown ? reasonOf(error) : (codeOf(error) ?? 'no connection');
    throw new DatabaseUnavailableError(place.name, reason, `${mendOf(error)}: ${place.line}.`, {
      cause: error,
    });
  }
}

/** What comes from a database, or the way there, has a code, or is known; so have faults of the program, which are told by theirs. */
export function isOfDatabase(error: unknown): boolean {
  if (error instanceof EmissionsError) return false;
  const { message, errors, syscall } = Object(error) as Partial<Said>;
  if (Array.isArray(errors) && errors.some(isOfDatabase)) return true;
  const code = codeOf(error);
  if (code === undefined) return WITHOUT_CODE.test(String(message));
  if (typeof syscall === 'string') return ON_THE_WAY.test(syscall);
  return !OF_THE_PROGRAM.test(code);
}

interface Said {
  readonly message: unknown;
  readonly errors: unknown;
  readonly syscall: unknown;
}

/** Connecting to a name with several addresses fails several times, and says nothing itself. */
export function reasonOf(error: unknown): string {
  const { message, errors } = error as Partial<AggregateError>;
  if (typeof message === 'string' && message !== '') return message;
  return Array.isArray(errors) && errors.length > 0 ? reasonOf(errors[0]) : String(error);
}

function mendOf(error: unknown): string {
  const said = codeOf(error) ?? reasonOf(error);
  const [, mend] = MENDS.find(([code]) => code.test(said)) ?? [];
  return mend ?? 'See that it is up and can be reached from here, or mend the address';
}

function codeOf(error: unknown): string | undefined {
  const { code } = Object(error) as { code?: unknown };
  return typeof code === 'string' ? code : undefined;
}
