import type { Attributes, Counter, Histogram, Meter } from '@opentelemetry/api';
import { onSignal } from '../signal.js';
import type { ConsumerNames } from './consumer-names.js';

const SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** What is counted of a call. */
interface Call {
  readonly count: number;
  readonly durationMs: number;
  readonly phase?: 'interested' | 'deliver';
}

/** Counts what the signals tell: those of all applications in the process. */
export class SignalCounters {
  readonly #stops: (() => void)[] = [];

  constructor(
    private readonly meter: Meter,
    private readonly names: ConsumerNames,
  ) {}

  start(): void {
    this.#countCommits();
    this.#countCalls();
    this.#countLosses();
    this.#countDeliveries();
  }

  stop(): void {
    for (const stop of this.#stops.splice(0)) stop();
  }

  #countCommits(): void {
    const committed = this.#counter('committed', 'Emissions that units of work handed over');
    const terminated = this.#counter('terminated', 'Emissions that units of work discarded');
    const duration = this.#duration(
      'commit.duration',
      'How long it took until all that was committed was queued and stored',
    );
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
    const duration = this.#duration(
      'delivery.duration',
      'How long one call of an adapter or handler took',
    );
    const counted =
      (counter: Counter) =>
      (name: string, kind: 'adapter' | 'handler', call: Call): void => {
        const about = this.names.attributesOf(name, kind);
        counter.add(call.count, about);
        // Who could not say whether it is interested was not called.
        if (call.phase !== 'interested') duration.record(call.durationMs / 1_000, about);
      };
    const took = counted(
      this.#counter('delivered', 'Emissions that an adapter or handler has taken'),
    );
    const passed = counted(
      this.#counter('ignored', 'Emissions that a handler returned IGNORED for'),
    );
    const gaveUp = counted(
      this.#counter('failed', 'Emissions that an adapter or handler was given up on'),
    );
    const again = counted(this.#counter('retried', 'Emissions that will be tried again'));
    this.#stops.push(
      onSignal('emissions:adapter:delivered', (call) => took(call.adapter, 'adapter', call)),
      onSignal('emissions:adapter:failed', (call) => gaveUp(call.adapter, 'adapter', call)),
      onSignal('emissions:adapter:retried', (call) => again(call.adapter, 'adapter', call)),
      onSignal('emissions:handler:succeeded', (call) => took(call.handler, 'handler', call)),
      onSignal('emissions:handler:ignored', (call) => passed(call.handler, 'handler', call)),
      onSignal('emissions:handler:failed', (call) => gaveUp(call.handler, 'handler', call)),
      onSignal('emissions:handler:retried', (call) => again(call.handler, 'handler', call)),
    );
  }

  #countLosses(): void {
    const dropped = this.#counter('dropped', 'Emissions that will not be delivered');
    const expired = this.#counter('expired', 'Emissions that outlived their ttlMs');
    this.#stops.push(
      onSignal('emissions:emission:dropped', ({ count, reason, consumer }) =>
        dropped.add(count, {
          'emissions.reason': reason,
          ...(consumer !== undefined && this.names.attributesOf(consumer)),
        }),
      ),
      onSignal('emissions:emission:expired', ({ count, consumer }) =>
        expired.add(count, this.names.attributesOf(consumer)),
      ),
    );
  }

  #countDeliveries(): void {
    const counter = (name: string, description: string): Counter =>
      this.#counter(`deliveries.${name}`, description, '{delivery}');
    const of = (consumer: string): Attributes => this.names.attributesOf(consumer);
    const enqueued = counter('enqueued', 'Deliveries that were stored');
    const completed = counter('completed', 'Deliveries that are done');
    const failed = counter('failed', 'Attempts that failed, and are repeated');
    const dead = counter('dead', 'Deliveries that were given up on, and are kept');
    const unknown = counter(
      'unknown',
      'Deliveries found that need a handler or class which is not here',
    );
    this.#stops.push(
      onSignal('emissions:delivery:enqueued', ({ count }) => enqueued.add(count)),
      onSignal('emissions:delivery:completed', ({ consumer }) => completed.add(1, of(consumer))),
      onSignal('emissions:delivery:failed', ({ consumer }) => failed.add(1, of(consumer))),
      onSignal('emissions:delivery:dead', ({ consumer }) => dead.add(1, of(consumer))),
      onSignal('emissions:delivery:unknown', ({ count, reason }) =>
        unknown.add(count, { 'emissions.reason': reason }),
      ),
    );
  }

  #counter(name: string, description: string, unit = '{emission}'): Counter {
    return this.meter.createCounter(`emissions.${name}`, { description, unit });
  }

  #duration(name: string, description: string): Histogram {
    const advice = { explicitBucketBoundaries: SECONDS };
    return this.meter.createHistogram(`emissions.${name}`, { description, unit: 's', advice });
  }
}
