import {
  ConfigurableModuleBuilder,
  Module,
  type ConfigurableModuleCls,
  type ConfigurableModuleHost,
  type DynamicModule,
} from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { asyncModule, checkOptions, type AsyncOptionsOf } from '../emission/async-options.js';
import type { Clock } from '../emission/clock.js';
import { DURABLE_ENGINE } from '../emission/durable-engine.js';
import { EmissionFactory } from '../emission/emission.factory.js';
import { ConfigurationError } from '../emission/emission.errors.js';
import { RefusedModule } from '../emission/refused.module.js';
import { refuseWithoutForRoot, requireRootModule } from '../emission/root-module.js';
import { DurableDeliveries } from './deliveries.service.js';
import { durableOptions, type DurableOptions } from './durable.options.js';
import { PostgresEngine } from './durable.engine.js';
import { PgBossStore } from './pg-boss/pg-boss.store.js';
import { EmissionStorage } from './storage/stored-emission.js';

/** What `EmissionsDurableModule.forRoot` takes. */
export type DurableSettingsGiven = Partial<DurableOptions>;

type Host = ConfigurableModuleHost<DurableSettingsGiven, 'forRoot', 'createDurableOptions'>;

const host: Host = new ConfigurableModuleBuilder<DurableSettingsGiven>({
  moduleName: 'EmissionsDurable',
})
  .setClassMethodName('forRoot')
  .setFactoryMethodName('createDurableOptions')
  .build();

const DurableConfigurableModule: ConfigurableModuleCls<
  DurableSettingsGiven,
  'forRoot',
  'createDurableOptions'
> = host.ConfigurableModuleClass;

/** What `forRootAsync` takes. */
export type DurableAsyncOptions = Parameters<typeof DurableConfigurableModule.forRootAsync>[0];

const EXAMPLE = "For a first try: EmissionsDurableModule.forRoot({ embedded: './data' }).";
const ASYNC: AsyncOptionsOf = {
  method: 'EmissionsDurableModule.forRootAsync',
  token: host.MODULE_OPTIONS_TOKEN,
  makes: 'createDurableOptions',
};
const RESOLVED = Symbol('nestjs-emissions:durable-options');
const WHERE = ['connectionString', 'embedded', 'boss'] as const;

/**
 * Stores what `@OnEmission(…, { durable: true })` handlers take, in the commit that emitted it, and works it off:
 * `EmissionsDurableModule.forRoot({ connectionString })`, or `forRootAsync`, once, beside `EmissionsModule.forRoot`.
 */
@Module({
  providers: [
    {
      provide: host.MODULE_OPTIONS_TOKEN,
      useFactory: refuseWithoutForRoot(
        'EmissionsDurableModule',
        'Write EmissionsDurableModule.forRoot({ connectionString }).',
      ),
    },
    {
      provide: RESOLVED,
      useFactory: (given: DurableSettingsGiven): DurableOptions => resolveDurableOptions(given),
      inject: [host.MODULE_OPTIONS_TOKEN],
    },
    {
      provide: DURABLE_ENGINE,
      useFactory: (options: DurableOptions, modules: ModuleRef) => {
        requireRootModule(modules, 'EmissionsDurableModule');
        const storage = new EmissionStorage();
        for (const type of options.types ?? []) storage.register(type);
        const clock = (): Clock => modules.get(EmissionFactory, { strict: false }).clock;
        return new PostgresEngine(new PgBossStore(options), storage, options, clock);
      },
      inject: [RESOLVED, ModuleRef],
    },
    DurableDeliveries,
  ],
  exports: [DurableDeliveries],
})
export class EmissionsDurableModule extends DurableConfigurableModule {
  /** Adds durable deliveries; options that are none, or do not say where to store, are refused when the application starts. */
  static override forRoot(options: DurableSettingsGiven): DynamicModule {
    return RefusedModule.unless(() =>
      super.forRoot(checkOptions('EmissionsDurableModule.forRoot', options, EXAMPLE)),
    );
  }

  /** As `forRoot`, with options that a factory makes. */
  static override forRootAsync(options: DurableAsyncOptions): DynamicModule {
    return asyncModule(ASYNC, options, (checked) => super.forRootAsync(checked));
  }
}

/** @throws ConfigurationError naming the option that is wrong */
export function resolveDurableOptions(given: DurableSettingsGiven): DurableOptions {
  const options = durableOptions.resolve(given, 'EmissionsDurableModule');
  const where = WHERE.filter((name) => options[name] !== undefined);
  if (where.length === 1) return options;
  throw new ConfigurationError(
    `EmissionsDurableModule takes exactly one of connectionString, embedded and boss, but got ` +
      `${where.length === 0 ? 'none' : where.join(' and ')}. ${EXAMPLE}`,
  );
}
