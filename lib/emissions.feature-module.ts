import { Module, type DynamicModule, type ModuleMetadata, type OnModuleInit } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { AdapterModule } from './adapter.module.js';
import type { AdapterRegistration } from './adapter.registration.js';
import { checkOptions } from './emission/async-options.js';
import { ConfigurationError } from './emission/emission.errors.js';
import type { TopicMap } from './emission/topics.js';
import { EmissionsLauncher } from './emissions.launcher.js';

/** What `forFeature` takes. */
export interface EmissionsFeature {
  /** The feature's own adapters. */
  adapters?: AdapterRegistration[];
  /** The feature's own topics, or names it adds to topics there are. */
  topics?: TopicMap;
  /** Modules whose exports the adapters inject. */
  imports?: ModuleMetadata['imports'];
}

const KEYS = ['adapters', 'imports', 'topics'];

/** The topics of a feature module; found when the router is made. */
export class FeatureTopics {
  constructor(readonly topics: TopicMap) {}
}

/** Holds what a feature module adds. */
@Module({})
export class EmissionsFeatureModule implements OnModuleInit {
  constructor(private readonly modules: ModuleRef) {}

  /** @throws ConfigurationError for an option it does not have, or what is no registration */
  static with(feature: EmissionsFeature): DynamicModule {
    const unknown = Object.keys(checkOptions('forFeature', feature)).find(
      (key) => !KEYS.includes(key),
    );
    if (unknown !== undefined) {
      throw new ConfigurationError(
        `forFeature has no option "${unknown}". It has: ${KEYS.join(', ')}.`,
      );
    }
    const adapters = AdapterModule.forAll(feature.adapters, feature.imports);
    return {
      module: EmissionsFeatureModule,
      imports: adapters,
      exports: adapters,
      providers: [{ provide: FeatureTopics, useValue: new FeatureTopics(feature.topics ?? {}) }],
    };
  }

  onModuleInit(): void {
    try {
      this.modules.get(EmissionsLauncher, { strict: false });
    } catch (error) {
      throw new ConfigurationError(
        'EmissionsModule.forFeature is imported, but EmissionsModule.forRoot is not: its adapters would get nothing. Import ' +
          'EmissionsModule.forRoot(…) in the root module.',
        { cause: error },
      );
    }
  }
}
