import type { ChannelModel, ConfirmChannel } from 'amqplib';
import {
  callback,
  defineOptions,
  flag,
  milliseconds,
  text,
  value,
  type OptionSet,
} from '../../emission/option-set.js';
import { recordRules, type RecordOptions } from '../broker-record.js';

/** Where RabbitMQ is, and how it is published to. `destination` is the routing key. */
export interface RabbitMqOptions extends RecordOptions {
  /** A connection of `amqplib` that the application has, yours to close; a channel is made of it. Either this or `url`. */
  client?: Pick<ChannelModel, 'createConfirmChannel'>;
  /** The server that the adapter connects to, and connects to again: `amqp://user:password@127.0.0.1:5672/vhost`. */
  url?: string;
  /** The exchange that is published to. Default: the default exchange, where a routing key is the name of a queue. */
  exchange?: string;
  /**
   * Called with each channel before anything is published through it, to declare exchanges, queues and bindings. What it throws
   * fails the start of the application.
   */
  setup?: (channel: ConfirmChannel) => Promise<void>;
  /**
   * Whether messages are written to disk where queues are durable.
   * @default true
   */
  persistent: boolean;
  /**
   * Whether a message that no queue is bound for fails; else RabbitMQ confirms it, and it is gone.
   * @default true
   */
  mandatory: boolean;
  /**
   * How long RabbitMQ may take to confirm a batch, in milliseconds; one that takes longer has failed, and may have arrived. 0 waits
   * for ever.
   * @default 10000
   */
  timeoutMs: number;
}

/** The rules of {@link RabbitMqOptions}. */
export const rabbitMqOptions: OptionSet<RabbitMqOptions> = defineOptions<RabbitMqOptions>({
  ...recordRules,
  client: value<Pick<ChannelModel, 'createConfirmChannel'>>(
    'a connection of amqplib',
    (given) => typeof (given as ChannelModel | null)?.createConfirmChannel === 'function',
  ),
  url: text(),
  exchange: text(),
  setup: callback(),
  persistent: flag(true),
  mandatory: flag(true),
  timeoutMs: milliseconds({ default: 10_000 }),
});
