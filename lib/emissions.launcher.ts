import {
  Injectable,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import { AdapterExplorer } from './adapter.explorer.js';
import { ConfigurationError } from './emission/emission.errors.js';
import { Emissions } from './emissions.service.js';
import { EmissionStreams } from './emission.streams.js';
import { HandlerExplorer } from './handlers/handler.explorer.js';
import { Pipeline } from './pipeline/pipeline.js';
import { Subscriptions } from './subscriptions.js';

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
  constructor(
    private readonly emissions: Emissions,
    private readonly adapters: AdapterExplorer,
    private readonly handlers: HandlerExplorer,
    private readonly subscriptions: Subscriptions,
    private readonly streams: EmissionStreams,
    private readonly pipeline: Pipeline,
    private readonly discovery: DiscoveryService,
  ) {}

  onModuleInit(): void {
    this.#refuseTwins();
    for (const { name, adapter, consumer } of this.adapters.explore()) {
      this.emissions.addAdapter(name, adapter, consumer);
    }
    for (const { id, pattern, options, host } of this.handlers.explore()) {
      this.subscriptions.add(id, pattern, options, host);
    }
  }

  onApplicationBootstrap(): void {
    this.pipeline.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.pipeline.catchUp();
  }

  async onApplicationShutdown(): Promise<void> {
    // What requests emitted while the servers closed.
    await this.pipeline.drain();
    this.pipeline.close();
    this.streams.complete();
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
