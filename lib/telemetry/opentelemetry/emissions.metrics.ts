import {
  metrics,
  type Attributes,
  type BatchObservableResult,
  type Meter,
  type Observable,
} from '@opentelemetry/api';
import type { Consumer } from '../../pipeline/consumer.js';
import type { Vitals } from '../../vitals.js';
import { onSignal } from '../signal.js';
import type { EmissionsOpenTelemetryOptions } from './opentelemetry.options.js';

/** What everything beyond `maxConsumers` is counted as. */
const OTHER = 'other';

/** How long a collection waits for the database. */
const BACKLOG_TIMEOUT_MS = 2_000;

const DURATION = {
  unit: 's',
  advice: {
    explicitBucketBoundaries: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
  },
};

/**
 * Counts what the signals of the process tell, and looks at the queues, the stored deliveries and the clients of one application
 * when metrics are collected.
 *
 * Attributes are `emissions.consumer` (an adapter's name or a handler's id), `emissions.kind` (`adapter`, `handler`) and
 * `emissions.reason`: never an emission's name, tenant or key, of which there may be any number. Counts are those of all
 * applications in the process, as the signals are: one of them counts for all.
 */
export class EmissionsMetrics {
  readonly #maxConsumers: number;
  readonly #meter: Meter;
  readonly #names = new Set<string>();
  readonly #stops: (() => void)[] = [];

  constructor(
    private readonly vitals: Vitals,
    { meterProvider = metrics, maxConsumers }: EmissionsOpenTelemetryOptions,
  ) {
    this.#maxConsumers = maxConsumers;
    this.#meter = meterProvider.getMeter('nestjs-emissions');
  }

  /** Begins to count. */
  start(): void {
    this.#countCommits();
    this.#countCalls();
    this.#countLosses();
    this.#countDeliveries();
    this.#watchQueues();
    this.#watchBacklog();
    this.#watchClients();
  }

  /** Stops. */
  stop(): void {
    for (const stop of this.#stops.splice(0)) stop();
  }

  #countCommits(): void {
    const committed = this.#counter('committed', 'Emissions that units of work handed over');
    const terminated = this.#counter('terminated', 'Emissions that units of work discarded');
    const duration = this.#meter.createHistogram('emissions.commit.duration', {
      ...DURATION,
      description: 'How long it took until all that was committed was queued and stored',
    });
    const handedOver = ({ count, durationMs }: { count: number; durationMs: number }): void => {
      committed.add(count);
      duration.record(durationMs / 1_000);
    };
    this.#stops.push(
      onSignal('emissions:buffer:committed', handedOver),
      onSignal('emissions:buffer:flushed', handedOver),
      onSignal('emissions:buffer:terminated', ({ count }) => terminated.add(count)),
    );
  }

  #countCalls(): void {
    const delivered = this.#counter('delivered', 'Emissions that an adapter or handler has taken');
    const ignored = this.#counter('ignored', 'Emissions that a handler returned IGNORED for');
    const failed = this.#counter('failed', 'Emissions that an adapter or handler was given up on');
    const retried = this.#counter('retried', 'Emissions that will be tried again');
    const duration = this.#meter.createHistogram('emissions.delivery.duration', {
      ...DURATION,
      description: 'How long one call of an adapter or handler took',
    });
    const adapter = (name: string): Attributes => this.#consumer(name, 'adapter');
    const handler = (name: string): Attributes => this.#consumer(name, 'handler');
    const counted =
      (counter: { add(count: number, about: Attributes): void }) =>
      (about: Attributes, call: { count: number; durationMs: number }): void => {
        counter.add(call.count, about);
        duration.record(call.durationMs / 1_000, about);
      };
    const took = counted(delivered);
    const gaveUp = counted(failed);
    const again = counted(retried);
    const passed = counted(ignored);
    this.#stops.push(
      onSignal('emissions:adapter:delivered', (call) => took(adapter(call.adapter), call)),
      onSignal('emissions:adapter:failed', (call) => gaveUp(adapter(call.adapter), call)),
      onSignal('emissions:adapter:retried', (call) => again(adapter(call.adapter), call)),
      onSignal('emissions:handler:succeeded', (call) => took(handler(call.handler), call)),
      onSignal('emissions:handler:ignored', (call) => passed(handler(call.handler), call)),
      onSignal('emissions:handler:failed', (call) => gaveUp(handler(call.handler), call)),
      onSignal('emissions:handler:retried', (call) => again(handler(call.handler), call)),
    );
  }

  #countLosses(): void {
    const dropped = this.#counter('dropped', 'Emissions that will not be delivered');
    const expired = this.#counter('expired', 'Emissions that outlived their ttlMs');
    this.#stops.push(
      onSignal('emissions:emission:dropped', ({ count, reason, consumer }) =>
        dropped.add(count, {
          'emissions.reason': reason,
          ...(consumer !== undefined && { 'emissions.consumer': this.#known(consumer) }),
        }),
      ),
      onSignal('emissions:emission:expired', ({ count, consumer }) =>
        expired.add(count, { 'emissions.consumer': this.#known(consumer) }),
      ),
    );
  }

  #countDeliveries(): void {
    const of = (consumer: string): Attributes => ({ 'emissions.consumer': this.#known(consumer) });
    const enqueued = this.#counter('deliveries.enqueued', 'Deliveries that were stored');
    const completed = this.#counter('deliveries.completed', 'Deliveries that are done');
    const failed = this.#counter('deliveries.failed', 'Attempts that failed, and are repeated');
    const dead = this.#counter('deliveries.dead', 'Deliveries that were given up on, and are kept');
    const unknown = this.#counter(
      'deliveries.unknown',
      'Deliveries found that need a handler or class which is not here',
    );
    this.#stops.push(
      onSignal('emissions:delivery:unknown', ({ count, reason }) =>
        unknown.add(count, { 'emissions.reason': reason }),
      ),
      onSignal('emissions:delivery:enqueued', ({ count }) => enqueued.add(count)),
      onSignal('emissions:delivery:completed', ({ consumer }) => completed.add(1, of(consumer))),
      onSignal('emissions:delivery:failed', ({ consumer }) => failed.add(1, of(consumer))),
      onSignal('emissions:delivery:dead', ({ consumer }) => dead.add(1, of(consumer))),
    );
  }

  #watchQueues(): void {
    const pending = this.#gauge(
      'pending',
      '{emission}',
      'Emissions that a consumer is not done with',
    );
    const lag = this.#gauge('lag', 's', 'The age of the oldest of these; 0 when there are none');
    const capacity = this.#gauge('capacity', '{emission}', 'How many of these there may be');
    this.#observe([pending, lag, capacity], (result) => {
      for (const [name, all] of this.#consumers()) {
        const about = this.#consumer(name, all[0]!.destination.kind);
        result.observe(
          pending,
          sumOf(all, (each) => each.pending),
          about,
        );
        result.observe(lag, Math.max(...all.map(lagOf)), about);
        result.observe(capacity, sumOf(all, capacityOf), about);
      }
    });
  }

  /** What is stored is the same for all processes of an application: the greatest of what they tell, not the sum. */
  #watchBacklog(): void {
    const waiting = this.#gauge('backlog.waiting', '{delivery}', 'Stored deliveries that wait');
    const running = this.#gauge('backlog.running', '{delivery}', 'Those at work, in any process');
    const dead = this.#gauge('backlog.dead', '{delivery}', 'Those that were given up on');
    const blocked = this.#gauge('backlog.blocked_keys', '{key}', 'Keys that wait behind dead ones');
    const age = this.#gauge('backlog.age', 's', 'The age of the oldest that is due; 0 for none');
    this.#observe([waiting, running, dead, blocked, age], async (result) => {
      const backlog = (await this.vitals.backlog(BACKLOG_TIMEOUT_MS)) ?? [];
      for (const [name, all] of Map.groupBy(backlog, ({ consumer }) => this.#known(consumer))) {
        const about = this.#consumer(name, all[0]!.kind);
        result.observe(
          waiting,
          sumOf(all, (each) => each.waiting),
          about,
        );
        result.observe(
          running,
          sumOf(all, (each) => each.running),
          about,
        );
        result.observe(
          dead,
          sumOf(all, (each) => each.dead),
          about,
        );
        result.observe(
          blocked,
          sumOf(all, (each) => each.blockedKeys),
          about,
        );
        result.observe(age, Math.max(...all.map(({ oldestMs }) => oldestMs)) / 1_000, about);
      }
    });
  }

  #watchClients(): void {
    const clients = this.#gauge('gateway.clients', '{client}', 'Clients of gateways, connected');
    const slow = this.#meter.createObservableCounter('emissions.gateway.slow', {
      unit: '{client}',
      description: 'Clients that were disconnected since they did not read',
    });
    this.#observe([clients, slow], (result) => {
      const live = this.vitals.live();
      if (live.length === 0) return;
      result.observe(
        clients,
        sumOf(live, (each) => each.clients),
      );
      result.observe(
        slow,
        sumOf(live, (each) => each.slow),
      );
    });
  }

  #observe(
    instruments: Observable[],
    look: (result: BatchObservableResult) => void | Promise<void>,
  ): void {
    this.#meter.addBatchObservableCallback(look, instruments);
    this.#stops.push(() => this.#meter.removeBatchObservableCallback(look, instruments));
  }

  #gauge(name: string, unit: string, description: string): Observable {
    return this.#meter.createObservableGauge(`emissions.${name}`, { unit, description });
  }

  #consumers(): Map<string, Consumer[]> {
    return Map.groupBy(this.vitals.consumers, ({ name }) => this.#known(name));
  }

  #counter(name: string, description: string) {
    return this.#meter.createCounter(`emissions.${name}`, { description, unit: '{emission}' });
  }

  #consumer(name: string, kind: 'adapter' | 'handler'): Attributes {
    return { 'emissions.consumer': this.#known(name), 'emissions.kind': kind };
  }

  #known(name: string): string {
    if (this.#names.has(name)) return name;
    if (this.#names.size >= this.#maxConsumers) return OTHER;
    this.#names.add(name);
    return name;
  }
}

function sumOf<T>(all: readonly T[], count: (each: T) => number): number {
  return all.reduce((sum, each) => sum + count(each), 0);
}

function capacityOf({ destination }: Consumer): number {
  return destination.options.capacity;
}

function lagOf({ oldest }: Consumer): number {
  return oldest === undefined ? 0 : Math.max(0, Date.now() - oldest.occurredAt) / 1_000;
}
