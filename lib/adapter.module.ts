import type { DynamicModule, ModuleMetadata, Provider } from '@nestjs/common';
import { AdapterBinding, EMISSION_ADAPTER } from './emission/adapter-binding.js';
import type { EmissionAdapter } from './emission/adapter.js';
import {
  ADAPTER_OPTIONS,
  checkRegistration,
  type AdapterRegistration,
} from './adapter.registration.js';

const ADAPTER_BINDING = Symbol('nestjs-emissions:adapter-binding');

/**
 * Holds one adapter, so that each registration has its own options and its own instance, and all stand under one token.
 *
 * An adapter given by its class can be injected by that class as well.
 */
export class AdapterModule {
  /** One module for each registration. */
  static forAll(
    registrations: readonly AdapterRegistration[] = [],
    imports: ModuleMetadata['imports'] = [],
  ): DynamicModule[] {
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
    const type = 'useClass' in serving ? serving.useClass : undefined;
    const providers: Provider[] = [
      adapterProvider(serving),
      {
        provide: ADAPTER_BINDING,
        useFactory: (adapter: EmissionAdapter) => new AdapterBinding(adapter, name, consumer),
        inject: [EMISSION_ADAPTER],
      },
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

function adapterProvider(serving: Exclude<AdapterRegistration, Function>): Provider {
  const provide = EMISSION_ADAPTER;
  if ('useClass' in serving) return { provide, useClass: serving.useClass };
  if ('useFactory' in serving)
    return { provide, useFactory: serving.useFactory, inject: serving.inject ?? [] };
  if ('useExisting' in serving) return { provide, useExisting: serving.useExisting };
  return { provide, useValue: serving.useValue };
}
