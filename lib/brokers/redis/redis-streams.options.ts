import {
  defineOptions,
  integer,
  milliseconds,
  text,
  value,
  type OptionSet,
} from '../../emission/option-set.js';
import { recordRules, type RecordOptions } from '../broker-record.js';
import { clientOptions } from '../client-options.js';

/** A part of a command. */
export type RedisArgument = string | Buffer;

/** A client of `redis` (node-redis) or `ioredis`, as far as streams need it. */
export type RedisStreamsClient =
  | { sendCommand(command: RedisArgument[]): Promise<unknown> }
  | { call(command: string, ...args: RedisArgument[]): Promise<unknown> };

/** Where the streams are, and how long they get. */
export interface RedisStreamsOptions extends RecordOptions {
  /**
   * A connected client of `redis` or `ioredis`, yours to close. One that queues while it has no connection, or sends again what
   * was not answered, delivers late and twice; the adapter's own client does neither. Either this or `url`.
   */
  client?: RedisStreamsClient;
  /** The Redis that the adapter makes a client for, with the package `redis`: `redis://127.0.0.1:6379`. */
  url?: string;
  /** What `createClient` of `redis` takes besides: `{ username, password, socket: { tls: true } }`. */
  connection?: Readonly<Record<string, unknown>>;
  /**
   * About how many entries a stream keeps; 0 for all, which somebody else has to trim then.
   * @default 100000
   */
  maxLength: number;
  /**
   * How long Redis may take to answer, in milliseconds; a batch that takes longer has failed, and may have arrived. 0 waits for ever.
   * @default 5000
   */
  timeoutMs: number;
}

/** The rules of {@link RedisStreamsOptions}. */
export const redisStreamsOptions: OptionSet<RedisStreamsOptions> =
  defineOptions<RedisStreamsOptions>({
    ...recordRules,
    client: value<RedisStreamsClient>(
      'a client of redis (createClient) or ioredis (new Redis)',
      (given) => {
        const { sendCommand, call } = (given ?? {}) as Record<string, unknown>;
        return typeof sendCommand === 'function' || typeof call === 'function';
      },
    ),
    url: text(),
    connection: clientOptions('createClient'),
    maxLength: integer({ min: 0, default: 100_000 }),
    timeoutMs: milliseconds({ default: 5_000 }),
  });
