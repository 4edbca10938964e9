import type { ConsumerOptions } from './emission/consumer.options.js';
import type { TopicMap, TopicRouter } from './emission/topics.js';
import type { HandlerRegistry } from './handlers/handler.registry.js';
import type { Consumer } from './pipeline/consumer.js';
import type { Pipeline } from './pipeline/pipeline.js';

/** One adapter of a plan. */
export interface PlannedAdapter {
  readonly name: string;
  /** Whether it filters by itself what it is offered. */
  readonly filters: boolean;
  readonly options: Omit<ConsumerOptions, 'durable'>;
  /** How many emissions it has still to deliver. */
  readonly pending: number;
}

/** One handler, or stream, of a plan. */
export interface PlannedHandler {
  readonly id: string;
  readonly pattern: string;
  /** Where it lives: its class and module, or the call that subscribed it. */
  readonly host: string;
  readonly filters: boolean;
  /** Whether it runs inside the commit. */
  readonly critical: boolean;
  /** Whether what it takes is stored; how much of that is pending, `DurableDeliveries.stats` tells. */
  readonly durable: boolean;
  readonly once: boolean;
  readonly priority: number;
  readonly options: Omit<ConsumerOptions, 'durable'>;
  readonly pending: number;
}

/** What is wired to what. Plain data: print it, serve it, compare it. */
export interface PipelinePlan {
  readonly state: 'starting' | 'running' | 'draining' | 'closed';
  readonly adapters: readonly PlannedAdapter[];
  readonly handlers: readonly PlannedHandler[];
  readonly topics: TopicMap;
}

/** Draws the plan of a running application. */
export class PipelinePlanner {
  constructor(
    private readonly pipeline: Pipeline,
    private readonly handlers: HandlerRegistry,
    private readonly topics: TopicRouter,
  ) {}

  describe(): PipelinePlan {
    const { consumers, state } = this.pipeline;
    const all = this.handlers.all();
    const unqueued = [
      ...all.filter(({ options }) => options.critical),
      ...all.filter(({ options }) => options.durable),
    ].map((handler) => plannedHandler(handler, handler.host.describe, 0, handler.options));
    return {
      state,
      adapters: consumers
        .filter(({ destination }) => destination.kind === 'adapter')
        .map(plannedAdapter),
      handlers: [
        ...unqueued,
        ...consumers
          .filter(({ destination }) => destination.kind === 'handler')
          .map(({ destination, pending, name }) =>
            plannedHandler(
              destination,
              this.handlers.get(name)?.host.describe ?? 'stream()',
              pending,
              { critical: false, durable: false },
            ),
          ),
      ],
      topics: Object.fromEntries(
        this.topics.topics().map((topic) => [topic, this.topics.namesOf(topic)]),
      ),
    };
  }
}

function plannedAdapter({ destination, pending }: Consumer): PlannedAdapter {
  const { name, adapter, options } = destination;
  return { name, filters: adapter.interested !== undefined, options: servedBy(options), pending };
}

function plannedHandler(
  { name, pattern, adapter, once, priority, options }: Consumer['destination'],
  host: string,
  pending: number,
  { critical, durable }: Pick<PlannedHandler, 'critical' | 'durable'>,
): PlannedHandler {
  return {
    id: name,
    pattern,
    host,
    filters: adapter.interested !== undefined,
    critical,
    durable,
    once,
    priority,
    options: servedBy(options),
    pending,
  };
}

/** Only what a consumer is served by: a handler's options hold more. */
function servedBy(options: ConsumerOptions): Omit<ConsumerOptions, 'durable'> {
  const { batchSize, maxWaitMs, concurrency, capacity, overflow, retry, timeoutMs } = options;
  return { batchSize, maxWaitMs, concurrency, capacity, overflow, retry, timeoutMs };
}
