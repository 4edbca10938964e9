import {
  defineOptions,
  flag,
  integer,
  milliseconds,
  nested,
  number,
  oneOf,
  type OptionSet,
} from './option-set.js';

/** What a full queue does with more: hold the commit back, fail the commit, or shed the oldest or the newest. */
export type OverflowPolicy = 'wait' | 'reject' | 'drop-oldest' | 'drop-newest';

/** How often and how patiently a failed delivery is tried again. The n-th pause is `backoffMs × factor^(n−1)`. */
export interface RetryOptions {
  /**
   * How often a delivery is tried in all; 1 means no retry.
   * @default 1
   */
  attempts: number;
  /**
   * The first pause, in milliseconds.
   * @default 100
   */
  backoffMs: number;
  /**
   * How much longer each further pause is.
   * @default 2
   */
  factor: number;
  /**
   * The longest pause, in milliseconds.
   * @default 30000
   */
  maxBackoffMs: number;
  /**
   * The share of a pause that is left to chance, 0 (none) to 1 (all of it), so that many that failed together do not
   * come back together.
   * @default 0.2
   */
  jitter: number;
}

/** How one adapter wants to be served: part of the port, since it is said where an adapter is registered. */
export interface ConsumerOptions {
  /**
   * The most emissions one call of `deliver` gets.
   * @default 50
   */
  batchSize: number;
  /**
   * How long to wait for a batch to fill up, in milliseconds; 0 delivers as soon as there is something.
   * @default 0
   */
  maxWaitMs: number;
  /**
   * How many calls of `deliver` may run at once. Emissions of one key still go one behind another.
   * @default 1
   */
  concurrency: number;
  /**
   * How many emissions may be pending, in delivery included, before `overflow` applies.
   * @default 10000
   */
  capacity: number;
  /**
   * What happens when `capacity` is reached: `'wait'` holds commits back for up to `waitTimeoutMs` and then fails them,
   * `'reject'` fails them at once, `'drop-oldest'` and `'drop-newest'` shed, count and signal.
   * @default 'wait'
   */
  overflow: OverflowPolicy;
  /** Whether and how a failed delivery is tried again; by default, not. */
  retry: RetryOptions;
  /**
   * How long one call may take, in milliseconds, before it counts as failed and its signal is aborted; 0 means for ever.
   * @default 0
   */
  timeoutMs: number;
  /**
   * Stores emissions for the adapter, as part of the commit, until it has taken them: nothing that was committed is lost when a
   * process dies, and any process of the application may deliver it, at least once. Needs `EmissionsDurableModule`. Has no queue
   * in memory (`capacity`, `overflow`, `maxWaitMs`); is tried `retry.attempts` times, 5 unless that is said, with pauses of 1 s,
   * 4 s, 16 s … up to 5 minutes, before an emission is kept as dead.
   * @default false
   */
  durable: boolean;
}

/** The rules of {@link RetryOptions}. */
export const retryOptions: OptionSet<RetryOptions> = defineOptions<RetryOptions>({
  attempts: integer({ min: 1, default: 1 }),
  backoffMs: milliseconds({ default: 100 }),
  factor: number({ min: 1, max: 100, default: 2 }),
  maxBackoffMs: milliseconds({ default: 30_000 }),
  jitter: number({ min: 0, max: 1, default: 0.2 }),
});

/** The rules of {@link ConsumerOptions}. */
export const consumerOptions: OptionSet<ConsumerOptions> = defineOptions<ConsumerOptions>({
  batchSize: integer({ min: 1, default: 50 }),
  maxWaitMs: milliseconds({ default: 0 }),
  concurrency: integer({ min: 1, default: 1 }),
  capacity: integer({ min: 1, default: 10_000 }),
  overflow: oneOf(['wait', 'reject', 'drop-oldest', 'drop-newest'], 'wait'),
  retry: nested(retryOptions),
  timeoutMs: milliseconds({ default: 0 }),
  durable: flag(false),
});

/** {@link ConsumerOptions} as one writes them: every one optional, those of `retry` too. */
export type ConsumerSettings = Partial<Omit<ConsumerOptions, 'retry'>> & {
  /** Whether and how a failed delivery is tried again; by default, not. */
  retry?: Partial<RetryOptions>;
};
