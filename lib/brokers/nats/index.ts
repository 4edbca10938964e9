export { BrokerConnectionError, BrokerRefusedError, RecordError } from '../broker.errors.js';
export type { RecordOptions } from '../broker-record.js';
export { cloudEventOf } from '../record-format.js';
export type { ReceivedRecord, RecordContent, RecordFormat } from '../record-format.js';
export { byTopic } from '../router.js';
export type { Route, RouteOptions } from '../router.js';
export { NatsAdapter } from './nats.adapter.js';
export type { NatsOptions } from './nats.options.js';
