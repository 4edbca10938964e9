import { Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import type { Consumer } from '../../pipeline/consumer.js';
import { Pipeline } from '../../pipeline/pipeline.js';
import { onSignal } from '../signal.js';
import { emissionsHealthOptions, type EmissionsHealthOptions } from './health.options.js';

/** What is wrong with one consumer. */
export interface ConsumerHealth {
  readonly consumer: string;
  readonly status: 'degraded' | 'down';
  /** For people: what is beyond which threshold. */
  readonly reason: string;
}

type Finding = Omit<ConsumerHealth, 'consumer'>;

/**
 * Tells whether adapters and handlers keep up: which are behind, failing or stuck. Import `TerminusModule` and provide it:
 *
 * ```ts
 * this.health.check([() => this.emissions.check('emissions', { downLagMs: 60_000 })]);
 * ```
 */
@Injectable()
export class EmissionsHealthIndicator implements OnModuleInit, OnApplicationShutdown {
  readonly #failures = new Map<string, number>();
  readonly #stops: (() => void)[] = [];
  #pipeline: Pipeline | undefined;

  constructor(
    private readonly modules: ModuleRef,
    private readonly indicators: HealthIndicatorService,
  ) {}

  onModuleInit(): void {
    this.#pipeline = this.modules.get(Pipeline, { strict: false });
    const well = (name: string): void => void this.#failures.delete(name);
    const failed = (name: string): void =>
      void this.#failures.set(name, (this.#failures.get(name) ?? 0) + 1);
    this.#stops.push(
      onSignal('emissions:adapter:delivered', ({ adapter }) => well(adapter)),
      onSignal('emissions:adapter:failed', ({ adapter }) => failed(adapter)),
      onSignal('emissions:adapter:retried', ({ adapter }) => failed(adapter)),
      onSignal('emissions:handler:succeeded', ({ handler }) => well(handler)),
      onSignal('emissions:handler:ignored', ({ handler }) => well(handler)),
      onSignal('emissions:handler:failed', ({ handler }) => failed(handler)),
      onSignal('emissions:handler:retried', ({ handler }) => failed(handler)),
    );
  }

  onApplicationShutdown(): void {
    for (const stop of this.#stops.splice(0)) stop();
  }

  /**
   * `down` when a consumer is, or the pipeline is not running; `degraded` when one is (with Terminus 11, which does not know that,
   * `up`); the consumers that are not well stand beside it, with the reason.
   *
   * @throws ConfigurationError when a threshold is wrong
   */
  check<Key extends string>(
    key: Key,
    thresholds: Partial<EmissionsHealthOptions> = {},
  ): HealthIndicatorResult<Key> {
    const options = emissionsHealthOptions.resolve(thresholds, 'EmissionsHealthIndicator');
    const { consumers = [], state = 'starting' } = this.#pipeline ?? {};
    const unwell = consumers.flatMap((consumer) => this.#examine(consumer, options));
    const names = new Set(consumers.map(({ name }) => name));
    // Consumers of other applications in the process, and such as have been removed.
    for (const name of this.#failures.keys()) if (!names.has(name)) this.#failures.delete(name);
    const pending = consumers.reduce((sum, consumer) => sum + consumer.pending, 0);
    const about = { state, pending, ...(unwell.length > 0 && { consumers: unwell }) };
    const indicator = this.indicators.check(key);
    if (state !== 'running' || unwell.some(({ status }) => status === 'down')) {
      return indicator.down(about);
    }
    const knowsDegraded = typeof indicator.degraded === 'function';
    return unwell.length > 0 && knowsDegraded ? indicator.degraded(about) : indicator.up(about);
  }

  #examine(consumer: Consumer, options: EmissionsHealthOptions): ConsumerHealth[] {
    const { name, pending, oldest, destination } = consumer;
    const { capacity } = destination.options;
    const lagMs = oldest === undefined ? 0 : Date.now() - oldest.occurredAt;
    const failures = this.#failures.get(name) ?? 0;
    const measures = [
      [
        pending / capacity,
        options.degradedFill,
        options.downFill,
        `${pending} of ${capacity} pending`,
      ],
      [lagMs, options.degradedLagMs, options.downLagMs, `${Math.round(lagMs)} ms behind`],
      [failures, options.degradedFailures, options.downFailures, `${failures} failures in a row`],
    ] as const;
    const beyond = measures.flatMap(([measured, degraded, down, reason]): Finding[] => {
      if (reaches(measured, down)) return [{ status: 'down', reason }];
      return reaches(measured, degraded) ? [{ status: 'degraded', reason }] : [];
    });
    if (beyond.length === 0) return [];
    const status = beyond.some((each) => each.status === 'down') ? 'down' : 'degraded';
    return [{ consumer: name, status, reason: beyond.map(({ reason }) => reason).join(', ') }];
  }
}

function reaches(measured: number, threshold: number): boolean {
  return threshold > 0 && measured >= threshold;
}
