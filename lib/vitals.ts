import { Injectable } from '@nestjs/common';
import { DiscoveryService, type ModuleRef } from '@nestjs/core';
import {
  DURABLE_ENGINE,
  type DurableBacklog,
  type DurableEngine,
} from './emission/durable-engine.js';
import { ConfigurationError } from './emission/emission.errors.js';
import { EmissionsError } from './emission/emissions.error.js';
import type { LiveReport, ReportsLive } from './emission/live-report.js';
import type { Consumer } from './pipeline/consumer.js';
import { Pipeline } from './pipeline/pipeline.js';

/** What one application can tell about itself to those who watch it: what it is made of is found out by ports, not by imports. */
@Injectable()
export class Vitals {
  constructor(
    private readonly pipeline: Pipeline,
    private readonly discovery: DiscoveryService,
  ) {}

  /** @throws ConfigurationError in an application without `EmissionsModule` */
  static of(modules: ModuleRef, asked: string): Vitals {
    try {
      return modules.get(Vitals, { strict: false });
    } catch (error) {
      const message = `${asked} shows what EmissionsModule does, which this application does not import: add EmissionsModule.forRoot().`;
      throw new ConfigurationError(message, { cause: error });
    }
  }

  get state(): Pipeline['state'] {
    return this.pipeline.state;
  }

  get consumers(): readonly Consumer[] {
    return this.pipeline.consumers;
  }

  /** How the clients of each of its gateways do. */
  live(): readonly LiveReport[] {
    return this.discovery
      .getProviders()
      .filter(({ isAlias, metatype }) => {
        const prototype: unknown = metatype?.prototype;
        return (
          !isAlias &&
          typeof prototype === 'object' &&
          prototype !== null &&
          'liveReport' in prototype
        );
      })
      .map(({ instance }) => (instance as ReportsLive).liveReport);
  }

  /**
   * What is stored for its durable destinations; `undefined` when it has no engine for them.
   *
   * @throws EmissionsError when there is no answer in so many milliseconds; or what the database fails with
   */
  async backlog(timeoutMs: number): Promise<readonly DurableBacklog[] | undefined> {
    const engine = this.discovery.getProviders().find(({ token }) => token === DURABLE_ENGINE)
      ?.instance as DurableEngine | undefined;
    if (engine === undefined) return undefined;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const message = `The database has not told within ${timeoutMs} ms what is stored.`;
        reject(new EmissionsError('EMISSIONS_BACKLOG_UNKNOWN', message));
      }, timeoutMs);
    });
    try {
      return await Promise.race([engine.backlog(), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Resolves when what was handed over is delivered, or the time to drain is over: the application closes. */
  drained(): Promise<void> {
    return this.pipeline.drain();
  }
}
