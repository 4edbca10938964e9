export { EmissionsHealthIndicator } from './emissions.health.js';
export type { ConsumerHealth } from './emissions.health.js';
export type { EmissionsHealthOptions } from './health.options.js';
