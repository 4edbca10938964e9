import type { DynamicModule, FactoryProvider } from '@nestjs/common';
import type { TestingModuleBuilder } from '@nestjs/testing';
import { AdapterExplorer } from '../adapter.explorer.js';
import { AdapterBinding, EMISSION_ADAPTER } from '../emission/adapter-binding.js';
import { ConfigurationError } from '../emission/emission.errors.js';
import { DURABLE_ENGINE } from '../emission/durable-engine.js';
import { EmissionFactory } from '../emission/emission.factory.js';
import { quote } from '../emission/quote.js';
import { EmissionStreams } from '../emission.streams.js';
import { EmissionsModule } from '../emissions.module.js';
import type { EmissionsOptions } from '../emissions.options.js';
import { HandlerRegistry } from '../handlers/handler.registry.js';
import { Pipeline } from '../pipeline/pipeline.js';
import { Subscriptions } from '../subscriptions.js';
import { Attribution } from './attribution.js';
import type { RecorderMode } from './captures.js';
import { checkMode, EmissionRecorder } from './recorder.js';
import { ENGINE_STAND_IN, Recording, STAND_IN } from './recording.js';
import { extendGlobalExpect } from './recorder.matchers.js';
import { TestingError } from './testing.errors.js';

/** How a recorder begins. */
export interface RecorderOptions {
  /**
   * What becomes of emissions; `recorder.use(mode)` changes it.
   * @default 'default'
   */
  mode?: RecorderMode;
}

/**
 * Puts a recorder in the place of every adapter of an application under test, the gateway's and those that are added at run
 * time too: no class or factory that is registered as an adapter is built, none is initialized, nothing connects anywhere.
 * Call it before `compile()`, also for an application's real root module:
 *
 * ```ts
 * const builder = Test.createTestingModule({ imports: [AppModule] });
 * const recorder = recordEmissions(builder, { mode: 'strict' });
 * const app = (await builder.compile()).createNestApplication();
 * ```
 *
 * Handlers work as the mode says; nothing is stored for durable ones, which run in `inline` mode alone. Who injects an adapter by
 * its class gets a stand-in that only has `deliver`. A module that brings an adapter along as a provider of the token
 * `AdapterBinding` has it replaced too. What is something else besides an adapter (a gateway, a provider registered with
 * `useExisting`) is built as ever, since others may need it, and delivers nothing.
 *
 * @throws ConfigurationError for a mode or an option there is not
 * @throws TestingError when it is given something else than the builder, such as the module that was made of it
 */
export function recordEmissions(
  builder: TestingModuleBuilder,
  options: RecorderOptions = {},
): EmissionRecorder {
  checkBuilder(builder);
  const attribution = attributionOf(options);
  builder.overrideProvider(EMISSION_ADAPTER).useValue(STAND_IN);
  builder.overrideProvider(AdapterBinding).useValue(new AdapterBinding(STAND_IN, undefined));
  builder.overrideProvider(DURABLE_ENGINE).useValue(ENGINE_STAND_IN);
  const { provide, useFactory, inject } = recording(attribution);
  builder.overrideProvider(provide).useFactory({ factory: useFactory, inject: inject as never });
  return new EmissionRecorder(attribution);
}

/**
 * A module for tests of single providers, without the application's own modules: `Emissions` and what belongs to it, and an
 * `EmissionRecorder` to inject, or to `get`.
 *
 * ```ts
 * const module = await Test.createTestingModule({
 *   imports: [emissionsTestingModule({ mode: 'strict' })],
 *   providers: [OrdersService],
 * }).compile();
 * module.get(OrdersService).place(order);
 * module.get(EmissionRecorder).expectEmitted('order.created');
 * ```
 *
 * Takes the options of `EmissionsModule.forRoot` that are no adapters, too. What is emitted outside a unit of work, as services
 * do that are called by a test, is delivered at once, unless the option `unbuffered` says otherwise. Handlers, and `inline`, need
 * `await module.init()`.
 *
 * @throws ConfigurationError for a mode there is not; at start-up, for an option that is wrong
 */
export function emissionsTestingModule(
  options: EmissionsOptions & RecorderOptions = {},
): DynamicModule {
  const { mode, ...given } = options;
  const attribution = attributionOf({ ...(mode !== undefined && { mode }) });
  const definition = EmissionsModule.forRoot({ unbuffered: 'deliver', ...given });
  const recorder = { provide: EmissionRecorder, useValue: new EmissionRecorder(attribution) };
  const engine = { provide: DURABLE_ENGINE, useValue: ENGINE_STAND_IN };
  return {
    ...definition,
    // Those of a dynamic module go before those of its class.
    providers: [...(definition.providers ?? []), recording(attribution, true), recorder, engine],
    exports: [...(definition.exports ?? []), EmissionRecorder],
  };
}

function checkBuilder(builder: Partial<TestingModuleBuilder> | null): void {
  if (typeof builder?.overrideProvider === 'function') return;
  throw new TestingError(
    `recordEmissions takes a TestingModuleBuilder, before it is compiled, but got ${quote(builder)}. Write: ` +
      'const builder = Test.createTestingModule({ imports: [AppModule] }); const recorder = recordEmissions(builder);',
  );
}

function attributionOf(options: RecorderOptions): Attribution {
  const { mode = 'default', ...others } = options ?? {};
  const [unknown] = Object.keys(others);
  if (unknown !== undefined)
    throw new ConfigurationError(`recordEmissions has no option "${unknown}". It has: mode.`);
  checkMode(mode);
  extendGlobalExpect();
  return new Attribution(mode);
}

/**
 * What is put in the place of the library's own provider: nobody looks for adapters, somebody records. `isStarted`: what is
 * emitted before the application has started is not kept until it has, since it may never do.
 */
function recording(attribution: Attribution, isStarted = false): FactoryProvider {
  return {
    provide: AdapterExplorer,
    useFactory: (
      pipeline: Pipeline,
      registry: HandlerRegistry,
      factory: EmissionFactory,
      subscriptions: Subscriptions,
      streams: EmissionStreams,
    ) => {
      const taken = new Recording(attribution);
      taken.record(pipeline, registry);
      taken.mute(pipeline);
      taken.noteOrigins(factory);
      taken.follow(subscriptions, streams);
      if (isStarted) pipeline.start();
      return { explore: () => [] };
    },
    inject: [Pipeline, HandlerRegistry, EmissionFactory, Subscriptions, EmissionStreams],
  };
}
