import { Observable } from 'rxjs';
import type { EmissionAdapter } from '../emission/adapter.js';
import type { DurableEngine } from '../emission/durable-engine.js';
import type { EmissionFactory } from '../emission/emission.factory.js';
import type { EmissionStreams } from '../emission.streams.js';
import type { EmissionHandler, HandlerHost } from '../handlers/handler.js';
import type { HandlerRegistry } from '../handlers/handler.registry.js';
import type { Pipeline } from '../pipeline/pipeline.js';
import type { Subscriptions } from '../subscriptions.js';
import type { Attribution } from './attribution.js';
import { InlineHandlers } from './inline.handlers.js';
import { SourceLine } from './source-line.js';

/** What stands in the place of an adapter. */
export const STAND_IN: EmissionAdapter = { name: 'recorder', deliver: () => {} };

/** What stands in the place of an engine for durable deliveries: it connects to nothing, and stores nothing. */
export const ENGINE_STAND_IN: DurableEngine = {
  acceptor: { plan: () => undefined },
  takes: () => false,
  backlog: async () => [],
  open: async () => {},
  start: () => {},
  drain: async () => {},
  close: async () => {},
};

/**
 * Records what an application commits, from the outside: the parts of the library it takes hold of are those of this one
 * application, and none of them knows.
 */
export class Recording {
  readonly #attribution: Attribution;

  constructor(attribution: Attribution) {
    this.#attribution = attribution;
    attribution.isPartOfOne = true;
  }

  /** Everything that is handed over is recorded; in inline mode it is handled first, and goes no further. */
  record(pipeline: Pipeline, registry: HandlerRegistry): void {
    const attribution = this.#attribution;
    pipeline.tap((emissions) => {
      for (const emission of emissions)
        attribution.capturesOf(emission).record(emission, attribution.lineOf(emission));
    });
    const isInline = attribution.isInline.bind(attribution);
    // The recorder takes every name, as the adapters would whose place it takes: nobody is to be warned.
    pipeline.join(new InlineHandlers(pipeline, registry, isInline), () => true);
  }

  /** Adapters that are added at run time are replaced like those that are registered. */
  mute(pipeline: Pipeline): void {
    const add = pipeline.add.bind(pipeline);
    pipeline.add = (destination) =>
      add(destination.kind === 'adapter' ? { ...destination, adapter: STAND_IN } : destination);
  }

  /** Of each emission it is noted who makes it, and on which line. */
  noteOrigins(factory: EmissionFactory): void {
    const create = factory.create.bind(factory);
    const noted: EmissionFactory['create'] = (...given) => {
      const emission = create(...given);
      const [, , , , { cause }] = given;
      this.#attribution.born(emission, cause, new SourceLine(noted));
      return emission;
    };
    factory.create = noted;
  }

  /** What handlers and subscribers of streams do about an emission belongs to the test that the emission belongs to. */
  follow(subscriptions: Subscriptions, streams: EmissionStreams): void {
    const add = subscriptions.add.bind(subscriptions);
    subscriptions.add = (id, pattern, options, host) =>
      add(id, pattern, options, this.#followingHost(host));
    const stream = streams.stream.bind(streams);
    streams.stream = (pattern) =>
      new Observable((subscriber) =>
        stream(pattern).subscribe({
          next: (emission) =>
            this.#attribution.withinLedgerOf(emission, () => subscriber.next(emission)),
          error: (error: unknown) => subscriber.error(error),
          complete: () => subscriber.complete(),
        }),
      );
  }

  #followingHost(host: HandlerHost): HandlerHost {
    if (host.bound !== undefined)
      return { ...host, bound: { handle: this.#following(host.bound.handle) } };
    return { ...host, build: async (emission) => this.#following(await host.build(emission)) };
  }

  #following(method: EmissionHandler<never>): EmissionHandler<never> {
    return (payload, emission, context) =>
      this.#attribution.withinLedgerOf(emission, () => method(payload, emission, context));
  }
}
