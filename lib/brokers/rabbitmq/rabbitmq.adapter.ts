import type { OnApplicationShutdown, OnModuleInit } from '@nestjs/common';
import {
  connect,
  type ChannelModel,
  type ConfirmChannel,
  type RecoveringChannelModel,
} from 'amqplib';
import type { EmissionAdapter } from '../../emission/adapter.js';
import type { Emission } from '../../emission/emission.js';
import { ConfigurationError } from '../../emission/emission.errors.js';
import { asError, BrokerConnectionError, BrokerRefusedError } from '../broker.errors.js';
import { RecordWriter, type BrokerRecord } from '../broker-record.js';
import { bytesOf } from '../bytes-of.js';
import { inTime } from '../in-time.js';
import { rabbitMqOptions, type RabbitMqOptions } from './rabbitmq.options.js';

/** How often it is looked whether the server still lives, in seconds, unless the url says otherwise. */
const HEARTBEAT_S = '5';

/**
 * Publishes emissions to RabbitMQ, a batch behind another, and waits until each is confirmed.
 *
 * Delivered is what RabbitMQ has confirmed: on disk in durable queues, and with a majority in quorum queues. What no queue is bound
 * for fails. At least once: a batch whose confirms are lost fails, and a retry publishes it again with the same `messageId`. Without
 * a connection it fails at once, and nothing is queued. Messages of one routing key keep their order, unless one is refused.
 */
export class RabbitMqAdapter implements EmissionAdapter, OnModuleInit, OnApplicationShutdown {
  readonly name = 'rabbitmq';
  readonly #options: RabbitMqOptions;
  readonly #records: RecordWriter;
  /** What came back because no queue is bound for it, by its message id. */
  readonly #returned = new Map<unknown, string>();
  #model: Pick<ChannelModel, 'createConfirmChannel'> | undefined;
  #channel: Promise<ConfirmChannel> | undefined;
  #own: RecoveringChannelModel | undefined;

  /** @throws ConfigurationError when an option is wrong, or there is neither a client nor a URL, or both */
  constructor(options: Pick<RabbitMqOptions, 'destination'> & Partial<RabbitMqOptions>) {
    this.#options = rabbitMqOptions.resolve(options, 'RabbitMqAdapter');
    this.#records = new RecordWriter(this.name, this.#options, {
      prefix: 'cloudEvents_',
      ascii: false,
    });
    const { client, url } = this.#options;
    if ((client === undefined) === (url === undefined)) {
      throw new ConfigurationError(
        `RabbitMqAdapter takes either a client or a url, but got ${client ? 'both' : 'neither'}. Write url: 'amqp://127.0.0.1'.`,
      );
    }
    this.#model = client;
  }

  /** Connects, when there is no client. @throws BrokerConnectionError when that fails, or takes longer than `timeoutMs` */
  async onModuleInit(): Promise<void> {
    const { url, timeoutMs } = this.#options;
    if (url === undefined) return void (await this.#open());
    const address = URL.parse(url);
    if (address?.searchParams.has('heartbeat') === false) {
      address.searchParams.set('heartbeat', HEARTBEAT_S);
    }
    const connecting = connect(address?.href ?? url, {
      timeout: timeoutMs,
      recovery: {
        ...{ initialDelay: 100, maxDelay: 5_000, initialMaxRetries: 0 },
        // Channels do not survive their connection.
        setup: async (model: ChannelModel) => {
          this.#model = model;
          this.#channel = undefined;
          await this.#open();
        },
      },
    });
    try {
      this.#own = await inTime(connecting, timeoutMs, 'RabbitMQ has not been connected to');
    } catch (error) {
      connecting.then((late) => late.close()).catch(() => {});
      throw new BrokerConnectionError(
        `RabbitMqAdapter cannot connect to ${address?.host ?? 'that url'}: ${asError(error).message}. Is RabbitMQ running there, and the url right?`,
        { cause: error },
      );
    }
    // Without a listener Node ends the process; whoever publishes hears of it.
    this.#own.on('error', () => {});
    this.#own.on('disconnect', () => {
      this.#model = undefined;
      this.#channel = undefined;
    });
  }

  async onApplicationShutdown(): Promise<void> {
    const { timeoutMs, client } = this.#options;
    const channel = this.#channel;
    const own = this.#own;
    this.#channel = undefined;
    this.#own = undefined;
    // Everything has been confirmed or given up; a server that is gone has nothing to say to that.
    const closed = client === undefined ? own?.close() : channel?.then((open) => open.close());
    await inTime(Promise.resolve(closed), timeoutMs, 'RabbitMQ has not answered').catch(() => {});
  }

  interested(emission: Emission): boolean {
    return this.#records.hasPlaceFor(emission);
  }

  async deliver(batch: readonly Emission[]): Promise<void> {
    const { records, undelivered } = this.#records.write(batch);
    const published = this.#open().then((channel) =>
      Promise.all(
        records.map(async (record) => {
          try {
            await this.#publish(channel, record);
          } catch (error) {
            undelivered.add(record.emission, error);
          }
        }),
      ),
    );
    try {
      await inTime(published, this.#options.timeoutMs, 'RabbitMQ has not confirmed');
    } catch (error) {
      for (const { emission } of records) undelivered.add(emission, error);
    }
    undelivered.throwFor(batch);
  }

  #publish(channel: ConfirmChannel, { emission, ...record }: BrokerRecord): Promise<void> {
    const { destination, headers, body } = record;
    const { exchange = '', persistent, mandatory } = this.#options;
    return new Promise((resolve, reject) => {
      const confirmed = (error: unknown): void => {
        // What comes back comes before it is confirmed.
        const returned = this.#returned.get(emission.id);
        this.#returned.delete(emission.id);
        if (error) reject(asError(error));
        else if (returned === undefined) resolve();
        else {
          reject(
            new BrokerRefusedError(
              `No queue of RabbitMQ takes the routing key '${destination}' of the exchange '${exchange}' (${returned}). Bind one, or set mandatory: false to let such messages vanish.`,
            ),
          );
        }
      };
      channel.publish(
        exchange,
        destination,
        bytesOf(body),
        {
          ...{ persistent, mandatory, headers, messageId: emission.id, type: emission.name },
          correlationId: emission.correlationId,
          ...(headers['content-type'] !== undefined && { contentType: headers['content-type'] }),
          timestamp: Math.floor(emission.occurredAt / 1_000),
        },
        confirmed,
      );
    });
  }

  /** The channel, or a new one when it was closed: RabbitMQ closes it when an exchange does not exist. */
  #open(): Promise<ConfirmChannel> {
    if (this.#channel !== undefined) return this.#channel;
    const opening = this.#create();
    this.#channel = opening;
    const forget = (): void => {
      if (this.#channel === opening) this.#channel = undefined;
    };
    opening.then((channel) => channel.once('close', forget), forget);
    return opening;
  }

  async #create(): Promise<ConfirmChannel> {
    if (this.#model === undefined) {
      throw new BrokerConnectionError('RabbitMqAdapter has no connection at the moment.');
    }
    const channel = await this.#model.createConfirmChannel();
    channel.on('error', () => {});
    channel.on('return', ({ properties, fields }) => {
      const { replyText } = fields as unknown as { replyText?: string };
      this.#returned.set(properties.messageId, replyText ?? 'NO_ROUTE');
    });
    await this.#options.setup?.(channel);
    return channel;
  }
}
