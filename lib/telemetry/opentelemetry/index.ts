export type { EmissionsMetricsOptions } from './metrics.options.js';
export { EmissionsOpenTelemetryModule } from './opentelemetry.module.js';
