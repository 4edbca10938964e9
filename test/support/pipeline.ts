import type {
  ConsumerSettings,
  Emission,
  EmissionAdapter,
  EmitOptions,
  PipelineSettings,
} from 'nestjs-emissions';
import { adapterDestination } from '../../lib/adapter.destination.js';
import { Clock } from '../../lib/emission/clock.js';
import type { Destination } from '../../lib/emission/destination.js';
import { EmissionFactory } from '../../lib/emission/emission.factory.js';
import { TopicRouter } from '../../lib/emission/topics.js';
import type { ConsumerHost } from '../../lib/pipeline/consumer.js';
import { Pipeline } from '../../lib/pipeline/pipeline.js';
import { pipelineOptions } from '../../lib/pipeline/pipeline.options.js';

/** What a consumer by itself belongs to: its turns are given by hand. */
export const handTurned: ConsumerHost = {
  clock: new Clock(),
  hurried: false,
  mayGoOn: false,
  tell: () => {},
  took: () => {},
  schedule: () => {},
  outside: (arm) => arm(),
  progressed: () => {},
  retire: () => {},
};

/** A pipeline by itself, without an application: started, and closed at the end of the test. */
export class Bench implements Disposable {
  readonly pipeline: Pipeline;
  readonly #options;
  readonly #factory = new EmissionFactory(new TopicRouter(), { snapshot: 'deep' });
  #adapters = 0;

  constructor(settings: PipelineSettings = {}, { started = true } = {}) {
    this.#options = pipelineOptions.resolve(settings as never, 'pipeline');
    this.pipeline = new Pipeline(this.#options, this.#factory.clock);
    if (started) this.pipeline.start();
  }

  /** Serves an adapter. */
  serve<A extends EmissionAdapter>(
    adapter: A,
    {
      name = `adapter ${++this.#adapters}`,
      ...consumer
    }: ConsumerSettings & { name?: string } = {},
  ): A {
    this.pipeline.add(adapterDestination(name, adapter, consumer, this.#options));
    return adapter;
  }

  /** Serves anything else, by default as a handler that takes every name would be. */
  serveAs<A extends EmissionAdapter>(
    adapter: A,
    { consumer = {}, ...rest }: Partial<Destination> & { consumer?: ConsumerSettings },
  ): A {
    const { name = `handler ${++this.#adapters}` } = rest;
    const served = adapterDestination(name, adapter, consumer, this.#options);
    this.pipeline.add({ ...served, kind: 'handler', ...rest, name });
    return adapter;
  }

  /** An emission of its own. */
  emission(name = 'thing.happened', payload?: unknown, options?: EmitOptions): Emission {
    return this.#factory.create(name, payload, undefined, options, {});
  }

  /** Emissions whose payloads are `from`, `from + 1` … */
  emissions(count: number, options?: EmitOptions, from = 1): Emission[] {
    return Array.from({ length: count }, (_, i) => this.emission(undefined, from + i, options));
  }

  /** Hands over what `emissions` makes, in one commit, and resolves when that is done. */
  async commit(count = 1, options?: EmitOptions, from = 1): Promise<void> {
    await this.pipeline.offer(this.emissions(count, options, from));
  }

  /** How much is pending at a consumer. */
  pending(name: string): number {
    return this.pipeline.consumers.find((consumer) => consumer.name === name)!.pending;
  }

  settled(): Promise<void> {
    return this.pipeline.settled(4_000);
  }

  [Symbol.dispose](): void {
    this.pipeline.close();
  }
}

/** The payloads of emissions. */
export function payloads(emissions: readonly Emission[]): unknown[] {
  return emissions.map(({ payload }) => payload);
}

/** `first`, `first + 1` … `last`. */
export function range(first: number, last: number): number[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
}
