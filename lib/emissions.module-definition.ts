import {
  ConfigurableModuleBuilder,
  type ConfigurableModuleCls,
  type ConfigurableModuleHost,
  type DynamicModule,
  type ModuleMetadata,
} from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { AdapterModule } from './adapter.module.js';
import type { AdapterRegistration } from './adapter.registration.js';
import { EmissionsInterceptor } from './buffer/emissions.interceptor.js';
import { ConfigurationError } from './emission/emission.errors.js';
import { quote } from './emission/quote.js';
import type { EmissionsOptions } from './emissions.options.js';

/** What is part of the module graph: with `forRoot` it stands among the options, with `forRootAsync` beside the factory. */
export interface EmissionsModuleExtras {
  /** The destinations outside: classes, or Nest custom providers with a name and consumer options. */
  adapters?: AdapterRegistration[];
  /** Modules whose exports the adapters inject. */
  imports?: NonNullable<ModuleMetadata['imports']>;
  /**
   * `'global'` puts `EmissionsInterceptor` on every route and resolver, and, with Nest 12, on the messages of WebSocket gateways;
   * hybrid microservices take it only with `inheritAppConfig`. `'manual'` leaves that to you.
   * @default 'manual'
   */
  interceptor?: 'manual' | 'global';
  /**
   * Whether the module's exports can be injected everywhere without importing it.
   * @default true
   */
  isGlobal?: boolean;
}

type Host = ConfigurableModuleHost<
  EmissionsOptions,
  'forRoot',
  'createEmissionsOptions',
  EmissionsModuleExtras
>;

const host: Host = new ConfigurableModuleBuilder<EmissionsOptions>({ moduleName: 'Emissions' })
  .setClassMethodName('forRoot')
  .setFactoryMethodName('createEmissionsOptions')
  .setExtras<EmissionsModuleExtras>(
    { adapters: [], interceptor: 'manual', isGlobal: true, imports: [] },
    (definition, extras) => withExtras(definition, extras),
  )
  .build();

/** What `EmissionsModule` inherits `forRoot` and `forRootAsync` from. */
export const EmissionsConfigurableModule: ConfigurableModuleCls<
  EmissionsOptions,
  'forRoot',
  'createEmissionsOptions',
  EmissionsModuleExtras
> = host.ConfigurableModuleClass;

/** What `forRootAsync` takes. */
export type EmissionsAsyncOptions = Parameters<typeof EmissionsConfigurableModule.forRootAsync>[0];

/** The options as they were given; not yet checked. */
export const GIVEN_OPTIONS: string | symbol = host.MODULE_OPTIONS_TOKEN;

function withExtras(definition: DynamicModule, extras: EmissionsModuleExtras): DynamicModule {
  const { adapters = [], imports = [], interceptor = 'manual', isGlobal = true } = extras;
  if (interceptor !== 'manual' && interceptor !== 'global') {
    throw new ConfigurationError(
      `interceptor takes 'manual' or 'global', but got ${quote(interceptor)}.`,
    );
  }
  if (typeof isGlobal !== 'boolean') {
    throw new ConfigurationError(`isGlobal takes true or false, but got ${quote(isGlobal)}.`);
  }
  if (!Array.isArray(imports)) {
    throw new ConfigurationError(`imports takes an array of modules, but got ${quote(imports)}.`);
  }
  // forRootAsync has put them into the definition already.
  const all = [...new Set([...(definition.imports ?? []), ...imports])];
  const adapterModules = AdapterModule.forAll(adapters, all);
  return {
    ...definition,
    global: isGlobal,
    imports: [...all, ...adapterModules],
    exports: [...(definition.exports ?? []), ...adapterModules],
    providers: [
      ...(definition.providers ?? []),
      ...(interceptor === 'global'
        ? [{ provide: APP_INTERCEPTOR, useExisting: EmissionsInterceptor }]
        : []),
    ],
  };
}
