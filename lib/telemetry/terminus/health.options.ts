import {
  defineOptions,
  integer,
  milliseconds,
  number,
  type OptionSet,
} from '../../emission/option-set.js';

/** From when on an application is not well. 0 switches a threshold off. */
export interface EmissionsHealthOptions {
  /**
   * The share of a consumer's `capacity` that is taken from which on it is degraded.
   * @default 0.5
   */
  degradedFill: number;
  /**
   * The share from which on it is down.
   * @default 0.95
   */
  downFill: number;
  /**
   * The age of a consumer's oldest emission from which on it is degraded, in milliseconds.
   * @default 30000
   */
  degradedLagMs: number;
  /**
   * The age from which on it is down, in milliseconds: it is stuck, or hopelessly behind.
   * @default 300000
   */
  downLagMs: number;
  /**
   * How many calls of a consumer have to fail in a row for it to be degraded.
   * @default 3
   */
  degradedFailures: number;
  /**
   * How many have to fail in a row for it to be down.
   * @default 0
   */
  downFailures: number;
  /**
   * For how long the oldest delivery that is due has been stored for a durable handler or adapter from which on it is degraded,
   * in milliseconds.
   * @default 60000
   */
  degradedBacklogMs: number;
  /**
   * For how long from which on it is down, in milliseconds. All processes see the same deliveries, and would all be down.
   * @default 0
   */
  downBacklogMs: number;
  /**
   * How many dead deliveries have to be kept for a durable handler or adapter for it to be degraded.
   * @default 1
   */
  degradedDead: number;
  /**
   * How many keys have to wait behind dead deliveries for it to be degraded.
   * @default 1
   */
  degradedBlockedKeys: number;
  /**
   * How long to wait for the database to tell what is stored, in milliseconds, before that is down.
   * @default 2000
   */
  backlogTimeoutMs: number;
  /**
   * How many clients of gateways have to be disconnected within a minute, since they did not read, for that to be degraded.
   * @default 10
   */
  degradedSlowClients: number;
  /**
   * How many clients of gateways may be connected to this process before that is degraded.
   * @default 0
   */
  degradedClients: number;
}

/** The rules of {@link EmissionsHealthOptions}. */
export const emissionsHealthOptions: OptionSet<EmissionsHealthOptions> =
  defineOptions<EmissionsHealthOptions>({
    degradedFill: number({ min: 0, max: 1, default: 0.5 }),
    downFill: number({ min: 0, max: 1, default: 0.95 }),
    degradedLagMs: milliseconds({ default: 30_000 }),
    downLagMs: milliseconds({ default: 300_000 }),
    degradedFailures: integer({ min: 0, default: 3 }),
    downFailures: integer({ min: 0, default: 0 }),
    degradedBacklogMs: milliseconds({ default: 60_000 }),
    downBacklogMs: milliseconds({ default: 0 }),
    degradedDead: integer({ min: 0, default: 1 }),
    degradedBlockedKeys: integer({ min: 0, default: 1 }),
    backlogTimeoutMs: milliseconds({ min: 1, default: 2_000 }),
    degradedSlowClients: integer({ min: 0, default: 10 }),
    degradedClients: integer({ min: 0, default: 0 }),
  });
