import {
  Inject,
  Injectable,
  Module,
  type DynamicModule,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { ConfigurationError } from '../../emission/emission.errors.js';
import { Tracing } from '../../emission/tracing.js';
import { Vitals } from '../../vitals.js';
import { EmissionsMetrics } from './emissions.metrics.js';
import { EmissionsTracer } from './emissions.tracer.js';
import {
  emissionsOpenTelemetryOptions,
  type EmissionsOpenTelemetryOptions,
} from './opentelemetry.options.js';

const OPTIONS = Symbol('nestjs-emissions:opentelemetry-options');

/** Traces and counts from when the application is built until all it had to deliver is delivered. */
@Injectable()
class OpenTelemetryLauncher implements OnModuleInit, OnApplicationShutdown {
  #stop: () => Promise<void> = async () => {};

  constructor(
    private readonly modules: ModuleRef,
    @Inject(OPTIONS) private readonly given: Partial<EmissionsOpenTelemetryOptions>,
  ) {}

  onModuleInit(): void {
    this.#refuseTwins();
    const options = emissionsOpenTelemetryOptions.resolve(
      this.given,
      'EmissionsOpenTelemetryModule',
    );
    const vitals = Vitals.of(this.modules, 'EmissionsOpenTelemetryModule');
    const tracing = this.modules.get(Tracing, { strict: false });
    const metrics = new EmissionsMetrics(vitals, options);
    if (options.spans) tracing.tracer = new EmissionsTracer(options.tracerProvider);
    if (options.metrics) metrics.start();
    this.#stop = async () => {
      await vitals.drained();
      tracing.tracer = undefined;
      metrics.stop();
    };
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#stop();
  }

  #refuseTwins(): void {
    const { length } = this.modules.get(OpenTelemetryLauncher, { strict: false, each: true });
    if (length === 1) return;
    throw new ConfigurationError(
      `EmissionsOpenTelemetryModule.forRoot is imported ${length} times in one application, so that everything would be counted as ` +
        `often. Import it once, in the root module.`,
    );
  }
}

/**
 * Shows an application that imports `EmissionsModule` to OpenTelemetry: `EmissionsOpenTelemetryModule.forRoot()`, with the SDK of
 * your choice to export spans and metrics.
 *
 * There are spans around each commit, each batch that an adapter gets, and each call of a handler, in which the code of
 * adapters and handlers runs. Emissions carry the trace they were made in (`traceparent` and `tracestate` among their metadata), also
 * in records, CloudEvents and stored deliveries. The names of metrics begin with `emissions.`.
 */
@Module({})
export class EmissionsOpenTelemetryModule {
  /** Takes the providers that are registered globally, unless the options name others. Once, beside `EmissionsModule`. */
  static forRoot(options: Partial<EmissionsOpenTelemetryOptions> = {}): DynamicModule {
    return {
      module: EmissionsOpenTelemetryModule,
      providers: [{ provide: OPTIONS, useValue: options }, OpenTelemetryLauncher],
    };
  }
}
