import { randomUUID } from 'node:crypto';
import type {
  DynamicModule,
  ModuleMetadata,
  OnApplicationShutdown,
  Provider,
} from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { AdapterBinding, EMISSION_ADAPTER } from './emission/adapter-binding.js';
import type { EmissionAdapter } from './emission/adapter.js';
import {
  ADAPTER_OPTIONS,
  checkRegistration,
  type AdapterRegistration,
  type ClassAdapter,
  type ExistingAdapter,
  type FactoryAdapter,
  type ValueAdapter,
} from './adapter.registration.js';
import { ConfigurationError } from './emission/emission.errors.js';
import { quote } from './emission/quote.js';
import { Pipeline } from './pipeline/pipeline.js';

const ADAPTER_BINDING = Symbol('nestjs-emissions:adapter-binding');
const ADAPTER_FAREWELL = Symbol('nestjs-emissions:adapter-farewell');
const REGISTRATION_ID = Symbol('nestjs-emissions:registration-id');

/** Holds one adapter and its options, so that each registration has its own and all stand under one token. */
class AdapterHostModule {}

/**
 * Serves one adapter: binds it to its name and options, and keeps it open until it has got everything.
 *
 * The adapter stands in a module of its own, imported by this one. When an application closes, Nest goes from the root to
 * the modules that are imported, one behind another; within a module, Nest 11 calls all at once and would close the adapter
 * while {@link AdapterFarewell} still waits.
 *
 * An adapter given by its class can be injected by that class as well.
 */
export class AdapterModule {
  /**
   * One module for each registration.
   *
   * @throws ConfigurationError when something is none
   */
  static forAll(
    registrations: readonly AdapterRegistration[] = [],
    imports: ModuleMetadata['imports'] = [],
  ): DynamicModule[] {
    if (!Array.isArray(registrations)) {
      throw new ConfigurationError(
        `adapters takes an array of registrations, but got ${quote(registrations)}.`,
      );
    }
    return registrations.map((registration, i) =>
      AdapterModule.for(checkRegistration(registration, i), imports),
    );
  }

  static for(
    registration: AdapterRegistration,
    imports: ModuleMetadata['imports'] = [],
  ): DynamicModule {
    const serving = typeof registration === 'function' ? { useClass: registration } : registration;
    const { name, consumer = {} } = serving;
    const type = (serving as AnyProvider).useClass;
    const hosted: Provider[] = [
      adapterProvider(serving),
      // Nest may compare modules by what is in them, and take two registrations of one class for one.
      { provide: REGISTRATION_ID, useValue: randomUUID() },
    ];
    if ('options' in serving) hosted.push({ provide: ADAPTER_OPTIONS, useValue: serving.options });
    const host: DynamicModule = {
      module: AdapterHostModule,
      imports,
      providers: hosted,
      exports: [EMISSION_ADAPTER],
    };
    const providers: Provider[] = [
      {
        provide: ADAPTER_BINDING,
        useFactory: (adapter: EmissionAdapter) => new AdapterBinding(adapter, name, consumer),
        inject: [EMISSION_ADAPTER],
      },
      {
        provide: ADAPTER_FAREWELL,
        useFactory: (modules: ModuleRef) => new AdapterFarewell(modules),
        inject: [ModuleRef],
      },
    ];
    if (type !== undefined) providers.push({ provide: type, useExisting: EMISSION_ADAPTER });
    return {
      module: AdapterModule,
      imports: [host],
      providers,
      exports: type === undefined ? [] : [type],
    };
  }
}

/** A registration by all that it can say. */
type AnyProvider = Partial<ClassAdapter & FactoryAdapter & ExistingAdapter & ValueAdapter>;

/**
 * Sees to it that an adapter has got everything before it closes: what requests emit that are still running when the
 * application begins to close comes after the pipeline was drained. Nest calls it before the adapter and what that injects,
 * whose modules its own imports.
 */
class AdapterFarewell implements OnApplicationShutdown {
  constructor(private readonly modules: ModuleRef) {}

  async onApplicationShutdown(): Promise<void> {
    await this.modules.get(Pipeline, { strict: false }).drain();
  }
}

function adapterProvider(serving: Exclude<AdapterRegistration, Function>): Provider {
  const provide = EMISSION_ADAPTER;
  const { useClass, useFactory, useExisting, useValue, inject = [] } = serving as AnyProvider;
  if (useClass !== undefined) return { provide, useClass };
  if (useFactory !== undefined) return { provide, useFactory, inject };
  if (useExisting !== undefined) return { provide, useExisting };
  return { provide, useValue };
}
