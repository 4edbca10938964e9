import type { OnApplicationShutdown, OnModuleInit } from '@nestjs/common';
import {
  connect,
  type ChannelModel,
  type ConfirmChannel,
  type RecoveringChannelModel,
} from 'amqplib';
import type { EmissionAdapter } from '../../emission/adapter.js';
import type { Emission } from '../../emission/emission.js';
import { asError, BrokerConnectionError, BrokerRefusedError, messageOf } from '../broker.errors.js';
import { RecordWriter, type BrokerRecord } from '../broker-record.js';
import { checkSource, checkUrl } from '../client-options.js';
import { bytesOf } from '../bytes-of.js';
import { closesInTime, inTime } from '../in-time.js';
import { sendEach } from '../send-each.js';
import {
  rabbitMqOptions,
  type RabbitMqChannels,
  type RabbitMqOptions,
} from './rabbitmq.options.js';

/** How often it is looked whether the server still lives, in seconds, unless the url says otherwise. */
const HEARTBEAT_S = '5';

/** What amqplib calls the error when RabbitMQ says no; every other one is of the channel or the connection. */
const NACKED = 'message nacked';

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
  #model: RabbitMqChannels | undefined;
  #channel: Promise<ConfirmChannel> | undefined;
  #own: RecoveringChannelModel | undefined;
  /** Ends sockets that a server which is gone would keep open. */
  readonly #ended = new AbortController();

  /** @throws ConfigurationError when an option is wrong, or there is neither a client nor a URL, or both */
  constructor(options: Pick<RabbitMqOptions, 'destination'> & Partial<RabbitMqOptions>) {
    this.#options = rabbitMqOptions.resolve(options, 'RabbitMqAdapter');
    this.#records = new RecordWriter(this.name, this.#options, {
      prefix: 'cloudEvents_',
      ascii: false,
    });
    checkSource('RabbitMqAdapter', this.#options, 'amqp://127.0.0.1');
    const { url } = this.#options;
    if (url !== undefined) checkUrl('RabbitMqAdapter', url, ['amqp:', 'amqps:']);
  }

  /** Connects, when there is no client. @throws BrokerConnectionError when that fails, or takes longer than `timeoutMs` */
  async onModuleInit(): Promise<void> {
    const { url, timeoutMs, connection } = this.#options;
    if (url === undefined) return void (await this.#open());
    const address = new URL(url);
    if (!address.searchParams.has('heartbeat')) {
      address.searchParams.set('heartbeat', HEARTBEAT_S);
    }
    const connecting = connect(address.href, {
      ...{ timeout: timeoutMs, noDelay: true, signal: this.#ended.signal },
      ...connection,
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
      this.#ended.abort();
      throw new BrokerConnectionError(
        `RabbitMqAdapter cannot connect to ${address.host}: ${messageOf(error)}. Is RabbitMQ running there, and the url right?`,
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
    const channel = this.#channel;
    this.#channel = undefined;
    const closing = this.#own?.close() ?? channel?.then((open) => open.close());
    await closesInTime(closing, this.#options.timeoutMs);
    this.#ended.abort();
  }

  interested(emission: Emission): boolean {
    return this.#records.hasPlaceFor(emission);
  }

  async deliver(batch: readonly Emission[]): Promise<void> {
    const { records, undelivered } = this.#records.write(batch);
    const { timeoutMs } = this.#options;
    try {
      const channel = await inTime(this.#open(), timeoutMs, 'RabbitMQ has not opened a channel');
      const limit = { timeoutMs, late: 'RabbitMQ has not confirmed' };
      await sendEach(records, undelivered, limit, (record) => this.#publish(channel, record));
    } catch (error) {
      for (const { emission } of records) undelivered.add(emission, error);
    }
    undelivered.throwFor(batch);
  }

  #publish(channel: ConfirmChannel, { emission, ...record }: BrokerRecord): Promise<void> {
    const { destination, headers, body } = record;
    const { exchange = '', persistent, mandatory } = this.#options;
    return new Promise((resolve, reject) => {
      const confirmed = (error: Error | null): void => {
        // What comes back comes before it is confirmed.
        const returned = this.#returned.get(emission.id);
        this.#returned.delete(emission.id);
        if (error === null && returned === undefined) resolve();
        else reject(refusalOf(error, returned, `'${destination}' of the exchange '${exchange}'`));
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
    const { setup } = this.#options;
    const model = this.#source();
    if (model === undefined) {
      throw new BrokerConnectionError('RabbitMqAdapter has no connection at the moment.');
    }
    const channel = await model.createConfirmChannel();
    this.#returned.clear();
    channel.on('error', () => {});
    channel.on('return', ({ properties, fields }) => {
      const { replyText } = fields as unknown as { replyText?: string };
      this.#returned.set(properties.messageId, replyText ?? 'NO_ROUTE');
    });
    await setup?.(channel);
    return channel;
  }

  /** Where channels come from at the moment. */
  #source(): RabbitMqChannels | undefined {
    const { client = this.#model } = this.#options;
    return client === undefined || 'createConfirmChannel' in client ? client : client.connection;
  }
}

function refusalOf(error: Error | null, returned: string | undefined, to: string): Error {
  if (error === null) {
    return new BrokerRefusedError(
      `No queue of RabbitMQ takes the routing key ${to} (${returned}). Bind one, or set mandatory: false to let such messages vanish.`,
    );
  }
  if (error.message !== NACKED) return asError(error);
  return new BrokerRefusedError(
    `RabbitMQ has refused what was published with the routing key ${to}. Is a queue full that has x-overflow: 'reject-publish'?`,
  );
}
