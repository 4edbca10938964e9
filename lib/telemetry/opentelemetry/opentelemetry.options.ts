import type { MeterProvider, TracerProvider } from '@opentelemetry/api';
import { defineOptions, flag, integer, value, type OptionSet } from '../../emission/option-set.js';

/** What is shown to OpenTelemetry, and to which part of it. */
export interface EmissionsOpenTelemetryOptions {
  /**
   * Whether there are spans, and emissions carry the trace they were made in.
   * @default true
   */
  spans: boolean;
  /**
   * Whether there are metrics. They count what all applications in the process do: of several, let one have them.
   * @default true
   */
  metrics: boolean;
  /** Where spans go. Default: the provider that is registered globally. */
  tracerProvider?: TracerProvider;
  /** Where metrics go. Default: the provider that is registered globally. */
  meterProvider?: MeterProvider;
  /**
   * How many adapters and handlers metrics tell apart; further ones are counted together, as `other`. Subscriptions that are made
   * at run time may have any number of names.
   * @default 200
   */
  maxConsumers: number;
}

/** The rules of {@link EmissionsOpenTelemetryOptions}. */
export const emissionsOpenTelemetryOptions: OptionSet<EmissionsOpenTelemetryOptions> =
  defineOptions<EmissionsOpenTelemetryOptions>({
    spans: flag(true),
    metrics: flag(true),
    tracerProvider: value<TracerProvider>(
      'a TracerProvider',
      (given) => typeof (given as TracerProvider | null)?.getTracer === 'function',
    ),
    meterProvider: value<MeterProvider>(
      'a MeterProvider',
      (given) => typeof (given as MeterProvider | null)?.getMeter === 'function',
    ),
    maxConsumers: integer({ min: 1, default: 200 }),
  });
