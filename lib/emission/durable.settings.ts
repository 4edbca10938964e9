/** How one durable destination is served. */
export interface DurableSettings {
  readonly maxAttempts: number;
  readonly onDead: 'block' | 'skip';
}

/** What becomes of the emissions of a key behind one that a durable handler gave up on. */
export type OnDead = DurableSettings['onDead'];
