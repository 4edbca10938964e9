import { Module, type DynamicModule, type Provider } from '@nestjs/common';
import { DiscoveryModule, DiscoveryService, MetadataScanner } from '@nestjs/core';
import { AdapterExplorer } from './adapter.explorer.js';
import { BufferContext } from './buffer/buffer.context.js';
import { BufferedExplorer } from './buffer/buffered.explorer.js';
import { EmissionsInterceptor } from './buffer/emissions.interceptor.js';
import { EmissionsMiddleware } from './buffer/emissions.middleware.js';
import { GraphqlOperations } from './buffer/graphql-operation.js';
import { HandlingScope } from './buffer/handling.scope.js';
import { RequestOptions } from './buffer/request.options.js';
import { asyncModule, checkOptions, type AsyncOptionsOf } from './emission/async-options.js';
import { EmissionFactory } from './emission/emission.factory.js';
import { RefusedModule } from './emission/refused.module.js';
import { refuseWithoutForRoot } from './emission/root-module.js';
import { TopicRouter } from './emission/topics.js';
import { Tracing } from './emission/tracing.js';
import { EmissionStreams } from './emission.streams.js';
import {
  EmissionsFeatureModule,
  FeatureTopics,
  type EmissionsFeature,
} from './emissions.feature-module.js';
import { EmissionsLauncher } from './emissions.launcher.js';
import {
  EmissionsConfigurableModule,
  GIVEN_OPTIONS,
  type EmissionsAsyncOptions,
  type EmissionsModuleExtras,
} from './emissions.module-definition.js';
import {
  BESIDE_THE_FACTORY,
  EMISSIONS_OPTIONS,
  resolveEmissionsOptions,
  type EmissionsOptions,
  type ResolvedEmissionsOptions,
} from './emissions.options.js';
import { AMBIENT_TRANSACTIONS } from './emission/transaction-source.js';
import { Emissions } from './emissions.service.js';
import { Emitter } from './emitter.js';
import { CascadeGuard } from './handlers/cascade.guard.js';
import { CriticalHandlers } from './handlers/critical.handlers.js';
import { HandlerExplorer } from './handlers/handler.explorer.js';
import { HandlerInvoker } from './handlers/handler.invoker.js';
import { HandlerRegistry } from './handlers/handler.registry.js';
import { Ledger } from './pipeline/ledger.js';
import { Pipeline } from './pipeline/pipeline.js';
import { PipelinePlanner } from './pipeline.plan.js';
import { WorkReporter } from './work.reporter.js';
import { Subscriptions } from './subscriptions.js';
import { Transactions } from './transactions.js';
import { Vitals } from './vitals.js';

type Options = ResolvedEmissionsOptions;

/** The floors, from the bottom up; each is made of what stands below it. */
const providers: Provider[] = [
  {
    provide: GIVEN_OPTIONS,
    useFactory: refuseWithoutForRoot(
      'EmissionsModule',
      'Write EmissionsModule.forRoot() in the root module, once; what it exports can then be injected everywhere.',
    ),
  },
  MetadataScanner,
  Tracing,
  {
    provide: EMISSIONS_OPTIONS,
    useFactory: (given: EmissionsOptions): Options => resolveEmissionsOptions(given),
    inject: [GIVEN_OPTIONS],
  },
  {
    provide: TopicRouter,
    useFactory: (options: Options, discovery: DiscoveryService) => {
      const router = new TopicRouter();
      router.registerAll(options.topics);
      for (const { instance } of discovery.getProviders())
        if (instance instanceof FeatureTopics) router.registerAll(instance.topics);
      return router;
    },
    inject: [EMISSIONS_OPTIONS, DiscoveryService],
  },
  {
    provide: EmissionFactory,
    useFactory: (topics: TopicRouter, { snapshot, tenancy }: Options, tracing: Tracing) =>
      new EmissionFactory(topics, { snapshot, tenancyKey: tenancy?.key }, tracing),
    inject: [TopicRouter, EMISSIONS_OPTIONS, Tracing],
  },
  {
    provide: Pipeline,
    useFactory: ({ pipeline, ledger }: Options, { clock }: EmissionFactory, tracing: Tracing) =>
      new Pipeline(pipeline, clock, ledger && new Ledger(ledger, clock), tracing),
    inject: [EMISSIONS_OPTIONS, EmissionFactory, Tracing],
  },
  {
    provide: BufferContext,
    useFactory: (pipeline: Pipeline, { buffer }: Options) =>
      new BufferContext((emissions) => pipeline.offer(emissions), buffer.capacity),
    inject: [Pipeline, EMISSIONS_OPTIONS],
  },
  {
    provide: Transactions,
    useFactory: (buffers: BufferContext, pipeline: Pipeline) => new Transactions(buffers, pipeline),
    inject: [BufferContext, Pipeline],
  },
  HandlerRegistry,
  {
    provide: HandlingScope,
    useFactory: (buffers: BufferContext, { unbuffered }: Options) =>
      // What is emitted after a unit of work is delivered when that has succeeded: each handler needs its own.
      new HandlingScope(buffers, unbuffered !== 'deliver'),
    inject: [BufferContext, EMISSIONS_OPTIONS],
  },
  {
    provide: HandlerInvoker,
    useFactory: (scope: HandlingScope, transactions: Transactions, tracing: Tracing) =>
      new HandlerInvoker(scope, (...given) => transactions.run(...given), tracing),
    inject: [HandlingScope, Transactions, Tracing],
  },
  {
    provide: CriticalHandlers,
    useFactory: (registry: HandlerRegistry, invoker: HandlerInvoker, pipeline: Pipeline) => {
      const handlers = new CriticalHandlers(registry, invoker, (...call) => pipeline.call(...call));
      pipeline.join(handlers, (name) => handlers.takes(name));
      return handlers;
    },
    inject: [HandlerRegistry, HandlerInvoker, Pipeline],
  },
  {
    provide: CascadeGuard,
    useFactory: ({ maxDepth }: Options) => new CascadeGuard(maxDepth),
    inject: [EMISSIONS_OPTIONS],
  },
  {
    provide: Subscriptions,
    useFactory: (
      registry: HandlerRegistry,
      invoker: HandlerInvoker,
      pipeline: Pipeline,
      options: Options,
    ) => new Subscriptions(registry, invoker, pipeline, options.pipeline),
    inject: [HandlerRegistry, HandlerInvoker, Pipeline, EMISSIONS_OPTIONS],
  },
  {
    provide: EmissionStreams,
    useFactory: (pipeline: Pipeline, options: Options) =>
      new EmissionStreams(pipeline, options.pipeline),
    inject: [Pipeline, EMISSIONS_OPTIONS],
  },
  {
    provide: PipelinePlanner,
    useFactory: (pipeline: Pipeline, registry: HandlerRegistry, topics: TopicRouter) =>
      new PipelinePlanner(pipeline, registry, topics),
    inject: [Pipeline, HandlerRegistry, TopicRouter],
  },
  { provide: AMBIENT_TRANSACTIONS, useExisting: Transactions },
  { provide: RequestOptions, useExisting: EMISSIONS_OPTIONS },
  GraphqlOperations,
  EmissionsInterceptor,
  EmissionsMiddleware,
  BufferedExplorer,
  HandlerExplorer,
  AdapterExplorer,
  Emitter,
  WorkReporter,
  Emissions,
  EmissionsLauncher,
  Vitals,
];

/** What the interceptor, the middleware, `@Buffered` and `withEmissions` need wherever they are used, and what applications inject. */
const exported = [
  Emissions,
  TopicRouter,
  EmissionsInterceptor,
  EmissionsMiddleware,
  BufferContext,
  RequestOptions,
  GraphqlOperations,
  AMBIENT_TRANSACTIONS,
];

const ASYNC: AsyncOptionsOf = {
  method: 'forRootAsync',
  own: BESIDE_THE_FACTORY,
  token: GIVEN_OPTIONS,
  makes: 'createEmissionsOptions',
};

/**
 * Brings emissions to an application. Import `EmissionsModule.forRoot(options)` (or `forRootAsync`) once, in the root module;
 * `Emissions`, the interceptor and the middleware can then be used everywhere.
 *
 * Options are checked when the application starts: a wrong one is a `ConfigurationError` that names it, with which
 * `NestFactory.create` (given `abortOnError: false`) or `compile()` rejects.
 */
@Module({ imports: [DiscoveryModule], providers, exports: exported })
export class EmissionsModule extends EmissionsConfigurableModule {
  /** Brings emissions to the application; without options, every default holds. */
  static override forRoot(options: EmissionsOptions & EmissionsModuleExtras = {}): DynamicModule {
    return RefusedModule.unless(() => super.forRoot(checkOptions('forRoot', options)));
  }

  /**
   * As `forRoot`, with options that a factory makes; the adapters, which are part of the module graph, stand beside it. What
   * belongs into the factory is refused beside it, and the other way round.
   */
  static override forRootAsync(options: EmissionsAsyncOptions): DynamicModule {
    return asyncModule(ASYNC, options, (checked) => super.forRootAsync(checked));
  }

  /**
   * Adds a feature module's own adapters and topics to those of `forRoot`. The application does not start when a name belongs
   * to two topics, the `name` of a registration is taken, or there is no `forRoot`.
   */
  static forFeature(feature: EmissionsFeature): DynamicModule {
    return RefusedModule.unless(() => EmissionsFeatureModule.with(feature));
  }
}
