export { ADAPTER_OPTIONS } from './adapter.registration.js';
export type {
  AdapterRegistration,
  AdapterServing,
  ClassAdapter,
  ExistingAdapter,
  FactoryAdapter,
  ValueAdapter,
} from './adapter.registration.js';
export { Buffered, Unbuffered } from './buffer/buffered.decorator.js';
export {
  BufferAlreadyStartedError,
  BufferClosedError,
  BufferFullError,
  BufferNotStartedError,
} from './buffer/buffer.errors.js';
export type { BufferedOptions, BufferOptions, HttpOptions } from './buffer/buffer.options.js';
export { EmissionBuffer } from './buffer/emission-buffer.js';
export { EmissionsInterceptor } from './buffer/emissions.interceptor.js';
export { EmissionsMiddleware } from './buffer/emissions.middleware.js';
export type { UnitContext } from './buffer/unit-of-work.js';
export { AdapterBinding } from './emission/adapter-binding.js';
export type { BringsAdapter } from './emission/adapter-binding.js';
export type { DeliveryContext, EmissionAdapter } from './emission/adapter.js';
export type { EmissionCatalog, EmissionName, PayloadOf } from './emission/catalog.js';
export { fromCloudEvent, toCloudEvent } from './emission/cloud-event.js';
export type { CloudEvent } from './emission/cloud-event.js';
export type {
  ConsumerOptions,
  ConsumerSettings,
  OverflowPolicy,
  RetryOptions,
} from './emission/consumer.options.js';
export { EmissionType } from './emission/emission-type.decorator.js';
export type { EmissionClass, EmissionTypeOptions } from './emission/emission-type.decorator.js';
export {
  ConfigurationError,
  InvalidEmissionError,
  PartialDeliveryError,
  PatternError,
  PayloadError,
  TransactionOverError,
} from './emission/emission.errors.js';
export type { EmitOptions } from './emission/emission.factory.js';
export { durationOf } from './emission/emission.js';
export type { Emission } from './emission/emission.js';
export { EmissionsError } from './emission/emissions.error.js';
export type { EmissionPattern, SinglePattern } from './emission/pattern.js';
export type { SqlExecutor } from './emission/sql-executor.js';
export type { ExecutorSource, TransactionSource } from './emission/transaction-source.js';
export { defineTopics, TopicRouter } from './emission/topics.js';
export type { TopicMap } from './emission/topics.js';
export { EmissionsModule } from './emissions.module.js';
export type { EmissionsFeature } from './emissions.feature-module.js';
export type {
  EmissionsAsyncOptions,
  EmissionsModuleExtras,
} from './emissions.module-definition.js';
export type { EmissionsOptions, TenancyOptions, UnbufferedPolicy } from './emissions.options.js';
export { Emissions } from './emissions.service.js';
export type { RecordOptions } from './work.reporter.js';
export {
  CascadeDepthError,
  CrossTenantEmissionError,
  DuplicateHandlerError,
} from './handlers/handler.errors.js';
export type { EmissionHandler, HandlerContext } from './handlers/handler.js';
export type { HandlerOptions } from './handlers/handler.options.js';
export { IGNORED } from './handlers/ignored.js';
export { OnEmission } from './handlers/on-emission.decorator.js';
export type { HandledPayload } from './handlers/on-emission.decorator.js';
export {
  ConsumerNameError,
  DeliveryTimeoutError,
  PipelineClosedError,
  PipelineFullError,
  SettleTimeoutError,
  ShutdownError,
} from './pipeline/pipeline.errors.js';
export type { ConsumerState, ConsumerStatus, EmissionStatus } from './pipeline/ledger.js';
export type { LedgerOptions } from './pipeline/ledger.options.js';
export type { PipelineOptions, PipelineSettings } from './pipeline/pipeline.options.js';
export type { PipelinePlan, PlannedAdapter, PlannedHandler } from './pipeline.plan.js';
export type { Subscriber, Subscription } from './subscriptions.js';
export { EMISSIONS_CHANNELS } from './telemetry/channels.js';
export { onSignal } from './telemetry/signal.js';
export type * from './telemetry/channels.js';
