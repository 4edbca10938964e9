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

/** Where a module of this kind keeps its adapter's binding. */
export const ADAPTER_BINDING: symbol = Symbol('nestjs-emissions:adapter-binding');
const ADAPTER_FAREWELL = Symbol('nestjs-emissions:adapter-farewell');
const REGISTRATION_ID = Symbol('nestjs-emissions:registration-id');

/**
 * Holds one adapter, so that each registration has its own options and its own instance, and all stand under one token.
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
    const providers: Provider[] = [
      adapterProvider(serving),
      {
        provide: ADAPTER_BINDING,
        useFactory: (adapter: EmissionAdapter) => new AdapterBinding(adapter, name, consumer),
        inject: [EMISSION_ADAPTER],
      },
      {
        provide: ADAPTER_FAREWELL,
        useFactory: (_binding: AdapterBinding, modules: ModuleRef) => new AdapterFarewell(modules),
        inject: [ADAPTER_BINDING, ModuleRef],
      },
      // Nest may compare modules by what is in them, and take two registrations of one class for one.
      { provide: REGISTRATION_ID, useValue: randomUUID() },
    ];
    if ('options' in serving)
      providers.push({ provide: ADAPTER_OPTIONS, useValue: serving.options });
    if (type !== undefined) providers.push({ provide: type, useExisting: EMISSION_ADAPTER });
    return {
      module: AdapterModule,
      imports,
      providers,
      exports: type === undefined ? [] : [type],
    };
  }
}

/** A registration by all that it can say. */
type AnyProvider = Partial<ClassAdapter & FactoryAdapter & ExistingAdapter & ValueAdapter>;

/**
 * Sees to it that an adapter has got everything before it closes: what requests emit that are still running when the
 * application begins to close comes after the pipeline was drained. Nest calls it before the adapter, which it depends on.
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
