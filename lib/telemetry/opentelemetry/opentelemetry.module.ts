import {
  Inject,
  Injectable,
  Module,
  type DynamicModule,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { Pipeline } from '../../pipeline/pipeline.js';
import { EmissionsMetrics } from './emissions.metrics.js';
import type { EmissionsMetricsOptions } from './metrics.options.js';

const OPTIONS = Symbol('nestjs-emissions:opentelemetry-options');

/** Counts from when the application is built until it has closed. */
@Injectable()
class MetricsLauncher implements OnModuleInit, OnApplicationShutdown {
  #metrics: EmissionsMetrics | undefined;

  constructor(
    private readonly modules: ModuleRef,
    @Inject(OPTIONS) private readonly options: Partial<EmissionsMetricsOptions>,
  ) {}

  onModuleInit(): void {
    const pipeline = this.modules.get(Pipeline, { strict: false });
    this.#metrics = new EmissionsMetrics(pipeline, this.options);
    this.#metrics.start();
  }

  onApplicationShutdown(): void {
    this.#metrics?.stop();
  }
}

/**
 * Adds metrics to an application that imports `EmissionsModule`: `EmissionsOpenTelemetryModule.forRoot()`, with the SDK of your
 * choice to export them. Their names begin with `emissions.`.
 */
@Module({})
export class EmissionsOpenTelemetryModule {
  static forRoot(options: Partial<EmissionsMetricsOptions> = {}): DynamicModule {
    return {
      module: EmissionsOpenTelemetryModule,
      providers: [{ provide: OPTIONS, useValue: options }, MetricsLauncher],
    };
  }
}
