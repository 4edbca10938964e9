export type { LiveReport } from '../../emission/live-report.js';
export { EmissionsHealthIndicator } from './emissions.health.js';
export type { BacklogHealth, ConsumerHealth, GatewayHealth } from './emissions.health.js';
export type { Finding, Severity } from './finding.js';
export type { EmissionsHealthOptions } from './health.options.js';
