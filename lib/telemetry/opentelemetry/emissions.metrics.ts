import { metrics } from '@opentelemetry/api';
import type { Vitals } from '../../vitals.js';
import { ConsumerNames } from './consumer-names.js';
import type { EmissionsOpenTelemetryOptions } from './opentelemetry.options.js';
import { SignalCounters } from './signal.counters.js';
import { VitalGauges } from './vital.gauges.js';

/**
 * Counts what the signals of the process tell, and looks at one application when metrics are collected.
 *
 * Attributes are `emissions.consumer` (an adapter's name or a handler's id), `emissions.kind` (`adapter`, `handler`) and
 * `emissions.reason`: never an emission's name, tenant or key, of which there may be any number.
 */
export class EmissionsMetrics {
  readonly #counters: SignalCounters;
  readonly #gauges: VitalGauges;

  constructor(
    vitals: Vitals,
    { meterProvider = metrics, maxConsumers }: EmissionsOpenTelemetryOptions,
  ) {
    const meter = meterProvider.getMeter('nestjs-emissions');
    const names = new ConsumerNames(maxConsumers);
    this.#counters = new SignalCounters(meter, names);
    this.#gauges = new VitalGauges(meter, names, vitals);
  }

  /** Begins to count. */
  start(): void {
    this.#counters.start();
    this.#gauges.start();
  }

  /** Stops. */
  stop(): void {
    this.#counters.stop();
    this.#gauges.stop();
  }
}
