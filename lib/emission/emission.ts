/**
 * One fact that happened. Frozen through and through: every receiver gets the same object and none can change it.
 *
 * `P` is the type of the payload.
 */
export interface Emission<P = unknown> {
  /** UUIDv7, growing within a process: later emissions have greater ids. */
  readonly id: string;
  /** What happened, dot-separated: `order.created`. */
  readonly name: string;
  /** The topic the name belongs to, if any. */
  readonly topic?: string | undefined;
  /** A copy of what was emitted, as it was at that moment. */
  readonly payload: P;
  /** What is known about it beside the payload. Always an object, empty when nothing was said. */
  readonly metadata: Readonly<Record<string, unknown>>;
  /** Whose fact it is. Without a tenant, it reaches no channel. */
  readonly tenant?: string | undefined;
  /** Emissions of one key keep their order at every consumer, also at one that works on several at a time. */
  readonly key?: string | undefined;
  /** Who emitted it, for people and traces. */
  readonly source?: string | undefined;
  /** Shared by everything one unit of work emitted, and by all that followed from it. */
  readonly correlationId: string;
  /** The id of the emission whose handler emitted this one. */
  readonly causationId?: string | undefined;
  /** How many handlers stand between this one and the first cause; 0 when no handler emitted it. */
  readonly depth: number;
  /** When the work it reports began, in epoch milliseconds; set by `record`. */
  readonly initializedAt?: number | undefined;
  /** When it was emitted, in epoch milliseconds with fractions. Never goes backwards in a process. */
  readonly occurredAt: number;
  /** For how many milliseconds after `occurredAt` it is worth delivering; without it, for ever. */
  readonly ttlMs?: number | undefined;
  /** For how many milliseconds durable handlers leave it alone; others get it at once, and others of its key do not wait for it. */
  readonly delayMs?: number | undefined;
}

/** How long the reported work took: `occurredAt − initializedAt` in milliseconds, 0 when either is missing. */
export function durationOf(emission: Emission): number {
  const { initializedAt, occurredAt } = emission;
  return initializedAt === undefined || occurredAt === undefined ? 0 : occurredAt - initializedAt;
}

/** Tells whether an emission has outlived its `ttlMs` at the given time (epoch milliseconds). */
export function isExpired(emission: Emission, now: number): boolean {
  return emission.ttlMs !== undefined && now - emission.occurredAt > emission.ttlMs;
}
