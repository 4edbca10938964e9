export { BrokerConnectionError, RecordError } from '../broker.errors.js';
export { byTopic } from '../router.js';
export type { Route, RouteOptions } from '../router.js';
export { MicroservicesAdapter } from './microservices.adapter.js';
export type { MicroservicesOptions, TransportGuarantee } from './microservices.options.js';
