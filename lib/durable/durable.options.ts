import type { PgBoss } from 'pg-boss';
import type { EmissionClass } from '../emission/emission-type.decorator.js';
import {
  defineOptions,
  flag,
  integer,
  milliseconds,
  oneOf,
  text,
  value,
  type OptionSet,
} from '../emission/option-set.js';

/** What is needed of a PGlite instance. */
export interface EmbeddedDatabase {
  readonly waitReady?: Promise<void>;
  query(text: string, values?: any[]): Promise<{ rows: any[] }>;
  exec(text: string): Promise<{ rows?: any[] }[]>;
  listen(
    channel: string,
    callback: (payload: string) => void,
  ): Promise<(...args: any[]) => Promise<void>>;
  close(): Promise<void>;
}

/** A PostgreSQL, or something that speaks like one. */
export type DurableBackend = 'postgres' | 'cockroachdb' | 'yugabytedb' | 'citus';

/** Where durable deliveries are stored, and how they are worked off. One of `connectionString`, `embedded` and `boss` is needed. */
export interface DurableOptions {
  /** The database, `postgres://user:password@host:port/name`; best the application's own, so that its transactions reach it. */
  connectionString?: string;
  /**
   * A database within this process instead (PGlite): the folder of its data, `'memory://'`, or an instance that the application
   * has already. For one process alone; a folder that another one uses is refused.
   */
  embedded?: string | EmbeddedDatabase;
  /**
   * A started pg-boss that the application has already, made with the same `schema` and `backend` as are given here. It is left running
   * when the application closes, and its other queues are left alone.
   */
  boss?: PgBoss;
  /**
   * The schema of the tables.
   * @default 'emissions'
   */
  schema: string;
  /**
   * Whether the tables are made and migrated when the application starts. With `false`, for a user of the database who may not, the
   * application refuses to start unless `npx nestjs-emissions migrate` has done it beforehand.
   * @default true
   */
  migrate: boolean;
  /**
   * What kind of database `connectionString` names, or `boss` runs on; passed on to pg-boss. CockroachDB has no notifications: what other
   * processes store is found every `pollMs`. On all but PostgreSQL a claim of keyed deliveries costs more the more keys there are.
   * @default 'postgres'
   */
  backend: DurableBackend;
  /**
   * Whether this process works deliveries off; `false` for one that only stores them.
   * @default true
   */
  worker: boolean;
  /**
   * How many connections it may use.
   * @default 10
   */
  connections: number;
  /**
   * How often the tables are looked at, in milliseconds: for what is due, and for what other processes stored while no
   * notification got through.
   * @default 1000
   */
  pollMs: number;
  /**
   * After how many milliseconds without a sign of life a worker's deliveries are given to others; a sign is given three times as
   * often. Whole seconds; the same in all processes.
   * @default 10000
   */
  heartbeatMs: number;
  /**
   * After how many milliseconds without an answer a statement is given up, and made again on another connection: one whose other end
   * is gone without a word would be waited for in vain. A commit that is waiting then fails, and may be stored all the same. It is not
   * for what is embedded, nor for what you ask `DurableDeliveries`.
   * @default 30000
   */
  answerTimeoutMs: number;
  /**
   * How long `app.close()` waits for handlers at work, in milliseconds; what is left then is run again by another worker.
   * @default 10000
   */
  drainTimeoutMs: number;
  /**
   * How long completed and discarded deliveries are kept, in milliseconds (whole seconds); dead ones are kept until somebody
   * retries or discards them.
   * @default 86400000
   */
  keepMs: number;
  /** Classes marked with `@EmissionType` that payloads hold and no handler's pattern names, so that they can be made again. */
  types?: readonly EmissionClass[];
}

/** The rules of {@link DurableOptions}. */
export const durableOptions: OptionSet<DurableOptions> = defineOptions<DurableOptions>({
  connectionString: text(),
  embedded: value<string | EmbeddedDatabase>(
    "a folder, 'memory://' or a PGlite instance",
    (given) => (typeof given === 'string' ? given !== '' : has(given, 'query')),
  ),
  boss: value<PgBoss>('an instance of PgBoss', (given) => has(given, 'fetch')),
  schema: value<string>(
    'a name of up to 50 small letters, digits and _, not beginning with pg_',
    (given) => typeof given === 'string' && /^(?!pg_)[a-z_][a-z0-9_]{0,49}$/.test(given),
    'emissions',
  ),
  migrate: flag(true),
  backend: oneOf(['postgres', 'cockroachdb', 'yugabytedb', 'citus'], 'postgres'),
  worker: flag(true),
  connections: integer({ min: 2, default: 10 }),
  pollMs: milliseconds({ min: 10, default: 1_000 }),
  heartbeatMs: milliseconds({ min: 1_000, default: 10_000 }),
  answerTimeoutMs: milliseconds({ min: 10, default: 30_000 }),
  drainTimeoutMs: milliseconds({ default: 10_000 }),
  keepMs: milliseconds({ min: 1_000, default: 86_400_000 }),
  types: value<readonly EmissionClass[]>(
    'an array of classes marked with @EmissionType',
    (given) => Array.isArray(given) && given.every((each) => typeof each === 'function'),
  ),
});

function has(given: unknown, method: string): boolean {
  return typeof (given as Record<string, unknown> | null)?.[method] === 'function';
}
