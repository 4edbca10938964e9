import {
  defineOptions,
  integer,
  milliseconds,
  number,
  type OptionSet,
} from '../../emission/option-set.js';

/** From when on a consumer is not well. 0 switches a threshold off. */
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
  });
