import type { RetryOptions } from './consumer.options.js';

/** How one durable destination is served. */
export interface DurableSettings {
  readonly maxAttempts: number;
  readonly onDead: 'block' | 'skip';
  /** How many deliveries of one tenant may be at work at once, in all processes; undefined: any number. */
  readonly tenantConcurrency?: number | undefined;
}

/** How often a durable destination is tried unless it says otherwise. */
export const DURABLE_ATTEMPTS = 5;

/** Its pauses: what it waits for is often gone for minutes. */
export const DURABLE_RETRY: Readonly<Pick<RetryOptions, 'backoffMs' | 'factor' | 'maxBackoffMs'>> =
  {
    backoffMs: 1_000,
    factor: 4,
    maxBackoffMs: 300_000,
  };

/** What becomes of the emissions of a key behind one that a durable handler gave up on. */
export type OnDead = DurableSettings['onDead'];
