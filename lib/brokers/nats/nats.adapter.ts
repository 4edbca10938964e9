import type { OnApplicationShutdown, OnModuleInit } from '@nestjs/common';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect, headers as natsHeaders, type NatsConnection } from '@nats-io/transport-node';
import type { DeliveryContext, EmissionAdapter } from '../../emission/adapter.js';
import type { Emission } from '../../emission/emission.js';
import { ConfigurationError } from '../../emission/emission.errors.js';
import { BrokerConnectionError, messageOf } from '../broker.errors.js';
import { RecordWriter, type BrokerRecord } from '../broker-record.js';
import { checkSource } from '../client-options.js';
import { closesInTime } from '../in-time.js';
import { sendEach } from '../send-each.js';
import { Acknowledgements, uncovered } from './acknowledgements.js';
import { natsOptions, type NatsOptions } from './nats.options.js';

/**
 * Publishes emissions to streams of NATS JetStream, a batch at once, and waits until each is stored.
 *
 * Delivered is what a stream has stored. At least once, and once within a stream's `duplicate_window` (2 minutes unless it says
 * otherwise): a retry carries the same `Nats-Msg-Id`, and JetStream keeps the first. For the same reason a second adapter cannot publish
 * into that stream, and fails: give it a stream of its own. Without a connection a batch fails at once. Messages of one subject keep
 * their order, unless one is refused.
 */
export class NatsAdapter implements EmissionAdapter, OnModuleInit, OnApplicationShutdown {
  readonly name = 'nats';
  readonly #options: NatsOptions;
  readonly #records: RecordWriter;
  readonly #servers: string[];
  #connection: NatsConnection | undefined;
  #acknowledgements: Acknowledgements | undefined;

  /** @throws ConfigurationError when an option is wrong, or there is neither a client nor a URL, or both */
  constructor(options: Pick<NatsOptions, 'destination'> & Partial<NatsOptions>) {
    this.#options = natsOptions.resolve(options, 'NatsAdapter');
    this.#records = new RecordWriter(this.name, this.#options, { prefix: 'ce-', ascii: true });
    checkSource('NatsAdapter', this.#options, 'nats://127.0.0.1:4222');
    this.#servers = this.#options.url?.split(',').map(serverOf) ?? [];
  }

  /**
   * Connects, when there is no client, and looks for the streams.
   *
   * @throws BrokerConnectionError when that fails, or takes longer than `timeoutMs`
   * @throws BrokerRefusedError when no stream covers a subject
   */
  async onModuleInit(): Promise<void> {
    const { client, connection, timeoutMs } = this.#options;
    this.#connection = client;
    if (client === undefined) {
      try {
        this.#connection = await connect({
          ...{ timeout: timeoutMs, maxReconnectAttempts: -1, reconnectTimeWait: 250 },
          // A connection that has died without a word is found out, and made anew, in about the time of an answer.
          ...{ pingInterval: Math.ceil(timeoutMs / 2), maxPingOut: 2 },
          ...connection,
          servers: this.#servers,
        });
      } catch (error) {
        throw new BrokerConnectionError(
          `NatsAdapter cannot connect to ${this.#servers.join(', ')}: ${messageOf(error)}. Is NATS running there, and the url right?`,
          { cause: error },
        );
      }
    }
    try {
      await this.#findStreams(this.#connection!);
    } catch (error) {
      if (client === undefined) await this.#connection!.close();
      throw error;
    }
    this.#acknowledgements = new Acknowledgements(this.#connection!);
  }

  async onApplicationShutdown(): Promise<void> {
    const { client, timeoutMs } = this.#options;
    this.#acknowledgements?.close();
    this.#acknowledgements = undefined;
    if (client !== undefined || this.#connection === undefined) return;
    await closesInTime(this.#connection.close(), timeoutMs);
  }

  interested(emission: Emission): boolean {
    return this.#records.hasPlaceFor(emission);
  }

  async deliver(batch: readonly Emission[], context?: DeliveryContext): Promise<void> {
    const { records, undelivered } = this.#records.write(batch);
    const limit = { timeoutMs: this.#options.timeoutMs, late: 'JetStream has not answered' };
    const replies: string[] = [];
    await sendEach(records, undelivered, limit, (record) =>
      this.#publish(record, replies, context?.attempt === 1),
    );
    for (const reply of replies) this.#acknowledgements?.forget(reply);
    undelivered.throwFor(batch);
  }

  #publish(record: BrokerRecord, replies: string[], isFirst: boolean): Promise<void> {
    const { emission, destination, headers, body } = record;
    if (this.#acknowledgements === undefined) {
      throw new BrokerConnectionError('NatsAdapter is not connected yet.');
    }
    const carried = natsHeaders();
    carried.set('Nats-Msg-Id', emission.id);
    for (const name in headers) carried.set(name, headers[name]!);
    const { reply, answer } = this.#acknowledgements.expect(destination, isFirst);
    replies.push(reply);
    try {
      this.#connection!.publish(destination, body, { headers: carried, reply });
    } catch (error) {
      // It will not be answered, and nobody is to hear when the connection is lost.
      this.#acknowledgements.forget(reply);
      throw error;
    }
    return answer;
  }

  async #findStreams(connection: NatsConnection): Promise<void> {
    const { destination, fallback, subjects, timeoutMs } = this.#options;
    const wanted = new Set([...[destination, fallback].filter(isText), ...subjects]);
    if (wanted.size === 0) return;
    const manager = await jetstreamManager(connection, { timeout: timeoutMs, checkAPI: false });
    for (const subject of wanted) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- the first one that is missing is told of
        await manager.streams.find(subject);
      } catch (error) {
        if ((error as Error).name === 'StreamNotFoundError') throw uncovered(subject);
        throw new BrokerConnectionError(
          `NatsAdapter cannot ask JetStream for the stream of '${subject}': ${messageOf(error)}. Is JetStream enabled (nats-server -js)?`,
          { cause: error },
        );
      }
    }
  }
}

function isText(given: unknown): given is string {
  return typeof given === 'string';
}

/** Its host and port. The client does not know of users in URLs, and its error would tell the password. */
function serverOf(server: string): string {
  const text = server.trim();
  const url = URL.parse(text.includes('://') ? text : `nats://${text}`);
  if (url !== null && ['nats:', 'tls:'].includes(url.protocol) && url.username === '') {
    return url.host;
  }
  throw new ConfigurationError(
    `NatsAdapter: a url is no 'nats://host:port'. A user and a password have a place of their own: connection: { user, pass }.`,
  );
}
