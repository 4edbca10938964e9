import type { MeterProvider } from '@opentelemetry/api';
import { defineOptions, integer, value, type OptionSet } from '../../emission/option-set.js';

/** Where metrics go, and how many series there may be. */
export interface EmissionsMetricsOptions {
  /** Default: the one that is registered globally. */
  meterProvider?: MeterProvider;
  /**
   * How many adapters and handlers are told apart; further ones are counted together, as `other`. Subscriptions that are made at
   * run time may have any number of names.
   * @default 200
   */
  maxConsumers: number;
}

/** The rules of {@link EmissionsMetricsOptions}. */
export const emissionsMetricsOptions: OptionSet<EmissionsMetricsOptions> =
  defineOptions<EmissionsMetricsOptions>({
    meterProvider: value<MeterProvider>(
      'a MeterProvider',
      (given) => typeof (given as MeterProvider | null)?.getMeter === 'function',
    ),
    maxConsumers: integer({ min: 1, default: 200 }),
  });
