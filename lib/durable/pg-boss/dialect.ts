import type { DurableBackend } from '../durable.options.js';

/** What a kind of database can do. */
export interface Dialect {
  /**
   * Where all queues without a table of their own have their deliveries: named itself, it takes the database half the time to plan of
   * what it takes by way of the table that it is a partition of.
   */
  readonly table: 'job' | 'job_common';
  /** Whether it tells those who listen. */
  readonly notifies: boolean;
  /** Whether rows that others have locked can be passed by. */
  readonly skipsLocked: boolean;
}

/** What pg-boss makes of its tables there, and keeps away from. */
export const DIALECTS: Readonly<Record<DurableBackend, Dialect>> = {
  postgres: { table: 'job_common', notifies: true, skipsLocked: true },
  citus: { table: 'job_common', notifies: true, skipsLocked: true },
  yugabytedb: { table: 'job', notifies: true, skipsLocked: true },
  cockroachdb: { table: 'job', notifies: false, skipsLocked: false },
};
