import {
  defineOptions,
  integer,
  milliseconds,
  text,
  value,
  type OptionSet,
} from '../../emission/option-set.js';
import { isRedisClient, type RedisClient } from './redis-connection.js';

/** Which Redis keeps the history, and how much of it. */
export interface RedisHistoryOptions {
  /**
   * A connected client of `redis` (node-redis) or `ioredis`, yours to close. A second connection is made from it, for what
   * other processes append.
   */
  client: RedisClient;
  /**
   * What every key and channel begins with; each application, and each gateway of one, wants its own.
   * @default 'emissions:'
   */
  prefix: string;
  /**
   * How many emissions of one tenant are kept, in Redis and in each process that follows it.
   * @default 1000
   */
  size: number;
  /**
   * For how long they are kept, in milliseconds.
   * @default 300000
   */
  maxAgeMs: number;
  /**
   * How often it is looked whether something came that nobody was told of, in milliseconds: Redis tells of everything at once,
   * but to nobody whose connection is broken at that moment.
   * @default 5000
   */
  pollMs: number;
}

/** The rules of {@link RedisHistoryOptions}. */
export const redisHistoryOptions: OptionSet<RedisHistoryOptions> =
  defineOptions<RedisHistoryOptions>({
    client: value<RedisClient>(
      'a client of redis (createClient) or ioredis (new Redis)',
      isRedisClient,
    ),
    prefix: text('emissions:'),
    size: integer({ min: 0, max: 1_000_000, default: 1_000 }),
    maxAgeMs: milliseconds({ min: 1, default: 300_000 }),
    pollMs: milliseconds({ min: 10, default: 5_000 }),
  });
