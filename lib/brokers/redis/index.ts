export { BrokerConnectionError, BrokerRefusedError, RecordError } from '../broker.errors.js';
export type { RecordOptions } from '../broker-record.js';
export { cloudEventOf } from '../record-format.js';
export type { ReceivedRecord, RecordContent, RecordFormat } from '../record-format.js';
export { byTopic } from '../router.js';
export type { Route, RouteOptions } from '../router.js';
export { RedisChannelHistory } from './redis-channel-history.js';
export type {
  IoRedisClient,
  IoRedisSubscriber,
  NodeRedisClient,
  NodeRedisSubscriber,
  RedisClient,
} from './redis-connection.js';
export type { RedisHistoryOptions } from './redis-history.options.js';
export { RedisStreamsAdapter } from './redis-streams.adapter.js';
export type {
  RedisArgument,
  RedisStreamsClient,
  RedisStreamsOptions,
} from './redis-streams.options.js';
