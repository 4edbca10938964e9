import type { Attributes, BatchObservableResult, Meter, Observable } from '@opentelemetry/api';
import type { Consumer } from '../../pipeline/consumer.js';
import type { Vitals } from '../../vitals.js';
import type { ConsumerNames } from './consumer-names.js';

/** How long a collection waits for the database. */
const BACKLOG_TIMEOUT_MS = 2_000;

/** Looks at the queues, the stored deliveries and the clients of one application when metrics are collected. */
export class VitalGauges {
  readonly #stops: (() => void)[] = [];

  constructor(
    private readonly meter: Meter,
    private readonly names: ConsumerNames,
    private readonly vitals: Vitals,
  ) {}

  start(): void {
    this.#watchQueues();
    this.#watchBacklog();
    this.#watchClients();
  }

  stop(): void {
    for (const stop of this.#stops.splice(0)) stop();
  }

  #watchQueues(): void {
    const pending = this.#gauge('pending', 'Emissions that a consumer is not done with');
    const capacity = this.#gauge('capacity', 'How many emissions a consumer may have pending');
    const lag = this.#gauge(
      'lag',
      'The age of the oldest emission that a consumer is not done with; 0 for none',
      's',
    );
    this.#observe([pending, capacity, lag], (result) => {
      const { consumers } = this.vitals;
      const groups = this.#grouped(consumers, ({ destination }) => destination);
      for (const { about, all } of groups) {
        result.observe(
          pending,
          sumOf(all, (each) => each.pending),
          about,
        );
        result.observe(
          capacity,
          sumOf(all, ({ destination }) => destination.options.capacity),
          about,
        );
        result.observe(lag, Math.max(...all.map(lagOf)), about);
      }
    });
  }

  /** What is stored is the same for all processes of an application: one takes the greatest of what they tell, not the sum. */
  #watchBacklog(): void {
    const gauge = (name: string, description: string, unit = '{delivery}'): Observable =>
      this.#gauge(`backlog.${name}`, description, unit);
    const age = gauge('age', 'The age of the oldest stored delivery that is due; 0 for none', 's');
    const counts = [
      ['waiting', gauge('waiting', 'Stored deliveries that wait to be tried')],
      ['running', gauge('running', 'Stored deliveries at work, in any process')],
      ['dead', gauge('dead', 'Stored deliveries that were given up on')],
      ['blockedKeys', gauge('blocked_keys', 'Keys that wait behind dead deliveries', '{key}')],
    ] as const;
    this.#observe([age, ...counts.map(([, each]) => each)], async (result) => {
      const backlog = (await this.vitals.backlog(BACKLOG_TIMEOUT_MS)) ?? [];
      const groups = this.#grouped(backlog, ({ kind, consumer: name }) => ({ kind, name }));
      for (const { about, all } of groups) {
        for (const [field, count] of counts)
          result.observe(
            count,
            sumOf(all, (each) => each[field]),
            about,
          );
        result.observe(age, Math.max(...all.map(({ oldestMs }) => oldestMs)) / 1_000, about);
      }
    });
  }

  #watchClients(): void {
    const clients = this.#gauge(
      'gateway.clients',
      'Clients that are connected to gateways',
      '{client}',
    );
    const slow = this.meter.createObservableCounter('emissions.gateway.slow', {
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

  /** By their attributes: an adapter and a handler may go by one name, and what is beyond the limit goes together. */
  #grouped<T>(
    these: readonly T[],
    who: (each: T) => { readonly kind: 'adapter' | 'handler'; readonly name: string },
  ): { readonly about: Attributes; readonly all: readonly T[] }[] {
    const kinds = Map.groupBy(these, (each) => who(each).kind);
    return [...kinds].flatMap(([kind, ofKind]) => {
      const names = Map.groupBy(ofKind, (each) => this.names.known(who(each).name));
      return [...names].map(([name, all]) => ({ about: this.names.attributesOf(name, kind), all }));
    });
  }

  #observe(
    instruments: Observable[],
    look: (result: BatchObservableResult) => void | Promise<void>,
  ): void {
    this.meter.addBatchObservableCallback(look, instruments);
    this.#stops.push(() => this.meter.removeBatchObservableCallback(look, instruments));
  }

  #gauge(name: string, description: string, unit = '{emission}'): Observable {
    return this.meter.createObservableGauge(`emissions.${name}`, { unit, description });
  }
}

function sumOf<T>(all: readonly T[], count: (each: T) => number): number {
  return all.reduce((sum, each) => sum + count(each), 0);
}

function lagOf({ oldest }: Consumer): number {
  return oldest === undefined ? 0 : Math.max(0, Date.now() - oldest.occurredAt) / 1_000;
}
