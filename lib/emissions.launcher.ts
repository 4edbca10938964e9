import {
  Injectable,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import { AdapterExplorer } from './adapter.explorer.js';
import { DURABLE_ENGINE, type DurableEngine } from './emission/durable-engine.js';
import type { EmissionClass } from './emission/emission-type.decorator.js';
import { ConfigurationError } from './emission/emission.errors.js';
import { Emissions } from './emissions.service.js';
import { EmissionStreams } from './emission.streams.js';
import type { Handler } from './handlers/handler.js';
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
  ) {}

  async onModuleInit(): Promise<void> {
    this.#refuseTwins();
    for (const { name, adapter, consumer } of this.adapters.explore()) {
      this.emissions.addAdapter(name, adapter, consumer);
    }
    const found = this.handlers.explore();
    const handlers = found.map(({ id, pattern, options, host }) =>
      this.subscriptions.add(id, pattern, options, host),
    );
    const types = found.flatMap(({ pattern }) => [pattern].flat()).filter(isClass);
    await this.#openEngine(
      handlers.filter(({ options }) => options.durable),
      types,
    );
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
  async #openEngine(handlers: readonly Handler[], types: readonly EmissionClass[]): Promise<void> {
    const engine = this.discovery.getProviders().find(({ token }) => token === DURABLE_ENGINE)
      ?.instance as DurableEngine | undefined;
    if (engine === undefined) return refuseWithoutEngine(handlers);
    this.#engine = engine;
    this.pipeline.join(engine.participant, (name) => engine.takes(name));
    await engine.open({
      destinations: handlers.map((handler) => ({
        destination: handler,
        settings: handler.options,
      })),
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

function refuseWithoutEngine(handlers: readonly Handler[]): void {
  if (handlers.length === 0) return;
  throw new ConfigurationError(
    `${handlers.map(({ name }) => name).join(', ')} ${handlers.length === 1 ? 'is' : 'are'} durable, and nothing is there that stores what ` +
      `durable handlers take. Import EmissionsDurableModule.forRoot({ connectionString: 'postgres://…' }) of nestjs-emissions/durable ` +
      `in the root module.`,
  );
}
