import {
  Inject,
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import { adapterDestination } from './adapter.destination.js';
import { AdapterExplorer } from './adapter.explorer.js';
import type { EmissionAdapter } from './emission/adapter.js';
import type { ConsumerSettings } from './emission/consumer.options.js';
import {
  DURABLE_ENGINE,
  type DurableDestination,
  type DurableEngine,
} from './emission/durable-engine.js';
import type { EmissionClass } from './emission/emission-type.decorator.js';
import { ConfigurationError } from './emission/emission.errors.js';
import { Tracing } from './emission/tracing.js';
import { EMISSIONS_OPTIONS, type ResolvedEmissionsOptions } from './emissions.options.js';
import { Emissions } from './emissions.service.js';
import { EmissionStreams } from './emission.streams.js';
import { HandlerExplorer } from './handlers/handler.explorer.js';
import { Pipeline } from './pipeline/pipeline.js';
import { Subscriptions } from './subscriptions.js';
import { Transactions } from './transactions.js';

/**
 * Starts and stops it all with the application:
 * finds adapters and handlers when everything is built, starts the consumers when everything is initialized, drains them
 * while everything still works (before the HTTP server closes, and once more before the adapters do), and reports what is
 * left at the end.
 */
@Injectable()
export class EmissionsLauncher
  implements OnModuleInit, OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown
{
  #engine: DurableEngine | undefined;

  constructor(
    private readonly emissions: Emissions,
    private readonly adapters: AdapterExplorer,
    private readonly handlers: HandlerExplorer,
    private readonly subscriptions: Subscriptions,
    private readonly streams: EmissionStreams,
    private readonly pipeline: Pipeline,
    private readonly discovery: DiscoveryService,
    private readonly transactions: Transactions,
    private readonly tracing: Tracing,
    @Inject(EMISSIONS_OPTIONS) private readonly options: ResolvedEmissionsOptions,
  ) {}

  async onModuleInit(): Promise<void> {
    this.#refuseTwins();
    const durable: DurableDestination[] = [];
    for (const { name, adapter, consumer } of this.adapters.explore()) {
      if (consumer?.durable !== true) this.emissions.addAdapter(name, adapter, consumer);
      else durable.push(durableAdapter(name, adapter, consumer, this.options, this.tracing));
    }
    const found = this.handlers.explore();
    const handlers = found.map(({ id, pattern, options, host }) =>
      this.subscriptions.add(id, pattern, options, host),
    );
    const types = found.flatMap(({ pattern }) => [pattern].flat()).filter(isClass);
    for (const handler of handlers)
      if (handler.options.durable)
        durable.push({ destination: handler, settings: handler.options });
    await this.#openEngine(durable, types);
  }

  onApplicationBootstrap(): void {
    this.pipeline.start();
    this.#engine?.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    // What durable handlers emit is taken by others, and by what is stored.
    await this.#engine?.drain();
    await this.pipeline.catchUp();
  }

  async onApplicationShutdown(): Promise<void> {
    // What requests emitted while the servers closed.
    await this.pipeline.drain();
    this.pipeline.close();
    this.streams.complete();
    await this.#engine?.close();
  }

  /** Has an engine store what durable handlers take, from now on; what has been emitted before is stored at once. */
  async #openEngine(
    destinations: readonly DurableDestination[],
    types: readonly EmissionClass[],
  ): Promise<void> {
    const engine = this.discovery.getProviders().find(({ token }) => token === DURABLE_ENGINE)
      ?.instance as DurableEngine | undefined;
    if (engine === undefined) return refuseWithoutEngine(destinations);
    this.#engine = engine;
    this.pipeline.storeWith(engine.acceptor, (name) => engine.takes(name));
    await engine.open({
      destinations,
      types,
      early: this.pipeline.kept,
      transact: (...given) => this.transactions.run(...given),
    });
  }

  #refuseTwins(): void {
    const launchers = this.discovery
      .getProviders()
      .filter(({ instance }) => instance instanceof EmissionsLauncher);
    if (launchers.length <= 1) return;
    throw new ConfigurationError(
      `EmissionsModule.forRoot is imported ${launchers.length} times in one application, so that every handler would be called as ` +
        `often. Import it once, in the root module; use EmissionsModule.forFeature({ adapters, topics }) elsewhere.`,
    );
  }
}

function isClass(pattern: unknown): pattern is EmissionClass {
  return typeof pattern === 'function';
}

/** How a durable adapter is served: it is tried as often as its retries say, and the emissions of a key wait behind one that is dead. */
function durableAdapter(
  name: string,
  adapter: EmissionAdapter,
  consumer: ConsumerSettings,
  { pipeline }: ResolvedEmissionsOptions,
  tracing: Tracing,
): DurableDestination {
  const { guarantee = 'acknowledged' } = adapter;
  if (guarantee !== 'acknowledged') {
    new Logger('Emissions').warn(
      `The adapter ${name} is durable, but what it delivers to promises '${guarantee}' only: what is stored for it counts as delivered, ` +
        `and may be lost all the same. Take one that answers when it has it.`,
    );
  }
  const destination = adapterDestination(name, adapter, consumer, pipeline, tracing);
  const { attempts } = destination.options.retry;
  return { destination, settings: { maxAttempts: attempts, onDead: 'block' } };
}

function refuseWithoutEngine(destinations: readonly DurableDestination[]): void {
  if (destinations.length === 0) return;
  const names = destinations.map(({ destination }) => destination.name);
  const [are, theyTake] = names.length === 1 ? ['is', 'it takes'] : ['are', 'they take'];
  throw new ConfigurationError(
    `${names.join(', ')} ${are} durable, and nothing is there that stores what ${theyTake}. Import ` +
      `EmissionsDurableModule.forRoot({ connectionString: 'postgres://…' }) of nestjs-emissions/durable in the root module.`,
  );
}
