import { Module, type INestApplicationContext, type ModuleMetadata } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { AdapterRegistration } from '../adapter.registration.js';
import type { ConsumerSettings } from '../emission/consumer.options.js';
import type { EmitOptions } from '../emission/emission.factory.js';
import { EmissionsModule } from '../emissions.module.js';

/** An emission as it came out at the other end of an adapter. */
export interface Arrival {
  /** The emission's. */
  readonly id: string;
  /** The emission's. */
  readonly name: string;
  /** The emission's, decoded. */
  readonly payload: unknown;
}

/** An adapter at work in an application, and what a test can see and do at its other end. */
export interface ServedAdapter {
  /** The application, initialized; the contract closes it. {@link serveAdapter} makes one. */
  readonly app: INestApplicationContext;
  /** The name of the adapter, when the application has several. */
  readonly name?: string;
  /** What `emit` has to say besides, so that emissions get there: a tenant, perhaps. */
  readonly emitOptions?: EmitOptions;
  /** All that has arrived so far, in the order it came; also after the application has closed. Asked again and again. */
  received(): readonly Arrival[] | Promise<readonly Arrival[]>;
  /**
   * Makes the other end refuse what is asked for, each arrival so many times, and take it from then on. Wanted by the features
   * `failures` and `partialFailures`.
   */
  refuse?(which: (arrival: Arrival) => boolean, times: number): void;
  /** Called when the application has closed: to end the reader, to delete what was written. */
  close?(): void | Promise<void>;
}

/**
 * Starts an application that serves one adapter, registered as with `forRoot({ adapters: [registration] })`, and nothing else.
 *
 * @throws what the adapter's constructor, factory or `onModuleInit` throws
 */
export async function serveAdapter(
  registration: AdapterRegistration,
  consumer: ConsumerSettings = {},
  metadata: Pick<ModuleMetadata, 'imports' | 'providers'> = {},
): Promise<INestApplicationContext> {
  const adapter = typeof registration === 'function' ? { useClass: registration } : registration;
  class ServingModule {}
  Module({
    providers: metadata.providers ?? [],
    imports: [
      ...(metadata.imports ?? []),
      EmissionsModule.forRoot({ adapters: [{ ...adapter, consumer }] }),
    ],
  })(ServingModule);
  return NestFactory.createApplicationContext(ServingModule, {
    logger: false,
    abortOnError: false,
  });
}
