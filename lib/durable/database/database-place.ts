import type { DurableOptions } from '../durable.options.js';

/** Where a database was looked for, as people are told: never with its password. */
export interface DatabasePlace {
  readonly name: string;
  /** The line in which that is written. */
  readonly line: string;
  /** Whether the name is one; else a part of the password may be taken for a host, and nothing is told of it. */
  readonly isKnown: boolean;
}

/** The place that the options name; none for an embedded database, which is in this process. */
export function placeOf({
  connectionString,
  boss,
}: Pick<DurableOptions, 'connectionString' | 'boss'>): DatabasePlace | undefined {
  if (boss !== undefined) {
    const line = 'EmissionsDurableModule.forRoot({ boss })';
    return { name: 'the one of the given pg-boss (option boss)', line, isKnown: true };
  }
  if (connectionString === undefined) return undefined;
  const name = nameOf(connectionString);
  const url =
    name === undefined
      ? '`postgres://user:${encodeURIComponent(password)}@host:port/name`'
      : "'postgres://user:password@host:port/name'";
  return {
    name:
      name === undefined
        ? 'the one that the option connectionString names'
        : `${name} (option connectionString)`,
    line: `EmissionsDurableModule.forRoot({ connectionString: ${url} })`,
    isKnown: name !== undefined,
  };
}

/** As pg reads it: what is left out, the environment says. */
function nameOf(connectionString: string): string | undefined {
  if (!URL.canParse(connectionString)) return undefined;
  const url = new URL(connectionString);
  const { protocol, hash, pathname, search, searchParams } = url;
  // With a # / or ? in the password, what follows it looks like a path, and what precedes it like a port.
  if (protocol === 'socket:' || `${hash}${pathname}${search}`.includes('@')) return undefined;
  try {
    const { PGHOST, PGPORT, PGDATABASE } = process.env;
    const written = decodeURIComponent(url.hostname);
    const host = searchParams.get('host') ?? (written || PGHOST || 'localhost');
    const port = searchParams.get('port') ?? (url.port || PGPORT || '5432');
    const database = decodeURIComponent(pathname.slice(1)) || PGDATABASE;
    return `${database === undefined ? 'the default database' : `'${database}'`} at ${host}:${port}`;
  } catch {
    return undefined;
  }
}
