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
import { clientOptions } from '../client-options.js';

/** What makes channels: a connection of `amqplib`. */
export type RabbitMqChannels = Pick<ChannelModel, 'createConfirmChannel'>;

/** A connection of `amqplib`, or of `amqp-connection-manager`, which has one of `amqplib` whenever it is connected. */
export type RabbitMqClient =
  | RabbitMqChannels
  | { readonly connection: RabbitMqChannels | undefined };

/** Where RabbitMQ is, and how it is published to. `destination` is the routing key. */
export interface RabbitMqOptions extends RecordOptions {
  /**
   * A connection of `amqplib` or `amqp-connection-manager` that the application has, connected, yours to close; a channel is made of
   * it, and a new one when it is connected again. Either this or `url`.
   */
  client?: RabbitMqClient;
  /** The server that the adapter connects to, and connects to again: `amqp://user:password@127.0.0.1:5672/vhost`. */
  url?: string;
  /** What `connect` takes besides: `{ ca, servername, credentials, clientProperties }`. */
  connection?: Readonly<Record<string, unknown>>;
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
  client: value<RabbitMqClient>('a connection of amqplib or amqp-connection-manager', isClient),
  url: text(),
  connection: clientOptions('connect'),
  exchange: text(),
  setup: callback(),
  persistent: flag(true),
  mandatory: flag(true),
  timeoutMs: milliseconds({ default: 10_000 }),
});

function isClient(given: unknown): boolean {
  const { createConfirmChannel, isConnected } = (given ?? {}) as Record<string, unknown>;
  return typeof createConfirmChannel === 'function' || typeof isConnected === 'function';
}
