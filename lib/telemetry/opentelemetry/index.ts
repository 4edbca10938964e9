export type { EmissionsOpenTelemetryOptions } from './opentelemetry.options.js';
export { EmissionsOpenTelemetryModule } from './opentelemetry.module.js';
export { contextOf } from './trace-context.js';
