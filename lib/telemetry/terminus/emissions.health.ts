import { Injectable } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import type { DurableBacklog } from '../../emission/durable-engine.js';
import type { LiveReport } from '../../emission/live-report.js';
import type { Consumer } from '../../pipeline/consumer.js';
import { Vitals } from '../../vitals.js';
import { examine, type Finding } from './finding.js';
import { emissionsHealthOptions, type EmissionsHealthOptions } from './health.options.js';

/** What is wrong with one adapter or handler. */
export interface ConsumerHealth extends Finding {
  readonly consumer: string;
}

/** What is stored for durable handlers and adapters, in sum, and with whom something is wrong. */
export interface BacklogHealth {
  readonly waiting: number;
  readonly running: number;
  readonly dead: number;
  readonly blockedKeys: number;
  /** For how many milliseconds the oldest that is due has been stored. */
  readonly oldestMs: number;
  readonly consumers?: readonly ConsumerHealth[];
}

/** How the clients of gateways in this process do, in sum. */
export interface GatewayHealth extends LiveReport, Partial<Finding> {}

/**
 * Tells whether an application keeps up with its emissions: which adapters and handlers are behind, failing or stuck, what is
 * stored for durable ones, and how the clients of gateways do. Import `TerminusModule` and provide it:
 *
 * ```ts
 * this.health.check([() => this.emissions.check('emissions', { downLagMs: 60_000 })]);
 * ```
 */
@Injectable()
export class EmissionsHealthIndicator {
  constructor(
    private readonly modules: ModuleRef,
    private readonly indicators: HealthIndicatorService,
  ) {}

  /**
   * `down` when one of them is, the pipeline is not running, or the database does not tell what is stored; `degraded` when one is
   * (with Terminus 11, which does not know that, `up`). What is not well stands beside it, with the reason.
   *
   * @throws ConfigurationError when a threshold is wrong
   */
  async check<Key extends string>(
    key: Key,
    thresholds: Partial<EmissionsHealthOptions> = {},
  ): Promise<HealthIndicatorResult<Key>> {
    const options = emissionsHealthOptions.resolve(thresholds, 'EmissionsHealthIndicator');
    const vitals = Vitals.of(this.modules, 'EmissionsHealthIndicator');
    const { consumers, state } = vitals;
    const unwell = consumers.flatMap((consumer) => healthOf(consumer, options));
    const gateway = gatewayHealth(vitals.live(), options);
    const deliveries = await backlogHealth(vitals, options);
    const pending = consumers.reduce((sum, consumer) => sum + consumer.pending, 0);
    const about = {
      state,
      pending,
      ...(unwell.length > 0 && { consumers: unwell }),
      ...(deliveries && { deliveries }),
      ...(gateway && { gateway }),
    };
    const found = [...unwell, ...findingsOf(deliveries), gateway ?? WELL];
    const indicator = this.indicators.check(key);
    if (state !== 'running' || found.some(({ status }) => status === 'down')) {
      return indicator.down(about);
    }
    const isDegraded = found.some(({ status }) => status === 'degraded');
    const knowsDegraded = typeof indicator.degraded === 'function';
    return isDegraded && knowsDegraded ? indicator.degraded(about) : indicator.up(about);
  }
}

const WELL: Partial<Finding> = {};

function healthOf(consumer: Consumer, options: EmissionsHealthOptions): ConsumerHealth[] {
  const { name, pending, oldest, failures, destination } = consumer;
  const { capacity } = destination.options;
  const lagMs = oldest === undefined ? 0 : Date.now() - oldest.occurredAt;
  const { degradedFill, downFill, degradedLagMs, downLagMs } = options;
  const finding = examine([
    [pending / capacity, degradedFill, downFill, () => `${pending} of ${capacity} pending`],
    [lagMs, degradedLagMs, downLagMs, (ms) => `${Math.round(ms)} ms behind`],
    [failures, options.degradedFailures, options.downFailures, (n) => `${n} failures in a row`],
  ]);
  return finding === undefined ? [] : [{ consumer: name, ...finding }];
}

/** What is stored, or why that cannot be told. */
async function backlogHealth(
  vitals: Vitals,
  options: EmissionsHealthOptions,
): Promise<BacklogHealth | Finding | undefined> {
  let backlog: readonly DurableBacklog[] | undefined;
  try {
    backlog = await vitals.backlog(options.backlogTimeoutMs);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { status: 'down', reason };
  }
  if (backlog === undefined) return undefined;
  const sum = (field: 'waiting' | 'running' | 'dead' | 'blockedKeys'): number =>
    backlog.reduce((total, each) => total + each[field], 0);
  const { degradedBacklogMs, downBacklogMs, degradedDead, degradedBlockedKeys } = options;
  const consumers = backlog.flatMap(({ consumer, oldestMs, dead, blockedKeys }) => {
    const finding = examine([
      [oldestMs, degradedBacklogMs, downBacklogMs, (ms) => `${ms} ms stored, and due`],
      [dead, degradedDead, 0, (n) => `${n} dead`],
      [blockedKeys, degradedBlockedKeys, 0, (n) => `${n} keys blocked`],
    ]);
    return finding === undefined ? [] : [{ consumer, ...finding }];
  });
  return {
    waiting: sum('waiting'),
    running: sum('running'),
    dead: sum('dead'),
    blockedKeys: sum('blockedKeys'),
    oldestMs: Math.max(0, ...backlog.map(({ oldestMs }) => oldestMs)),
    ...(consumers.length > 0 && { consumers }),
  };
}

function findingsOf(deliveries: BacklogHealth | Finding | undefined): readonly Partial<Finding>[] {
  if (deliveries === undefined) return [];
  return 'status' in deliveries ? [deliveries] : (deliveries.consumers ?? []);
}

/** Nothing where there is no gateway. */
function gatewayHealth(
  live: readonly LiveReport[],
  { degradedClients, degradedSlowClients }: EmissionsHealthOptions,
): GatewayHealth | undefined {
  if (live.length === 0) return undefined;
  const sum = (field: keyof LiveReport): number =>
    live.reduce((total, each) => total + each[field], 0);
  const report: LiveReport = {
    clients: sum('clients'),
    slow: sum('slow'),
    slowLately: sum('slowLately'),
  };
  const finding = examine([
    [report.clients, degradedClients, 0, (n) => `${n} clients`],
    [report.slowLately, degradedSlowClients, 0, (n) => `${n} slow clients within a minute`],
  ]);
  return { ...report, ...finding };
}
