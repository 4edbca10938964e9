export { RedisChannelHistory } from './redis-channel-history.js';
export type {
  IoRedisClient,
  IoRedisSubscriber,
  NodeRedisClient,
  NodeRedisSubscriber,
  RedisClient,
} from './redis-connection.js';
export type { RedisHistoryOptions } from './redis-history.options.js';
