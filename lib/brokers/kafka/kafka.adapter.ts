import type { OnApplicationShutdown, OnModuleInit } from '@nestjs/common';
import type { DeliveryContext, EmissionAdapter } from '../../emission/adapter.js';
import type { Emission } from '../../emission/emission.js';
import { ConfigurationError } from '../../emission/emission.errors.js';
import { BrokerConnectionError, BrokerRefusedError } from '../broker.errors.js';
import { RecordWriter, type BrokerRecord } from '../broker-record.js';
import { closesInTime, inTime, unlessAborted } from '../in-time.js';
import type { Undelivered } from '../undelivered.js';
import { kafkaOptions, type KafkaOptions } from './kafka.options.js';
import { partsOf, reasonOf, refusalIn, type KafkaSender } from './kafka.sender.js';
import { KafkaJsSender } from './kafkajs.sender.js';
import { producersFor, type OwnProducer, type Producers } from './own-producer.js';
import { PlatformaticSender } from './platformatic.sender.js';

/**
 * Sends emissions to Kafka, a batch in one go: one request for each server that leads a partition.
 *
 * Delivered is what all in-sync replicas have. At least once, and once as long as Kafka answers within `timeoutMs`: until then, what
 * was not answered is tried again, and Kafka knows it by its number; later it has failed, and a retry sends it again with the same
 * `message-id`. What has a `key` goes where Java's producers put that key, and keeps its order there, unless Kafka refuses a record.
 */
export class KafkaAdapter implements EmissionAdapter, OnModuleInit, OnApplicationShutdown {
  readonly name = 'kafka';
  readonly #options: KafkaOptions;
  readonly #records: RecordWriter;
  #sender: KafkaSender | undefined;
  #own: OwnProducer | undefined;
  #producers: Producers | undefined;

  /** @throws ConfigurationError when an option is wrong, or there is neither a client nor brokers, or both */
  constructor(options: Pick<KafkaOptions, 'destination'> & Partial<KafkaOptions>) {
    this.#options = kafkaOptions.resolve(options, 'KafkaAdapter');
    this.#records = new RecordWriter(this.name, this.#options, { prefix: 'ce_', ascii: false });
    const { client, brokers, send } = this.#options;
    if ((client === undefined) === (brokers === undefined)) {
      throw new ConfigurationError(
        `KafkaAdapter takes either a client or brokers, but got ${client ? 'both' : 'neither'}. Write brokers: '127.0.0.1:9092'.`,
      );
    }
    if (client === undefined) return;
    this.#sender =
      'sendBatch' in client
        ? new KafkaJsSender(client, send)
        : new PlatformaticSender(client, send);
  }

  /**
   * Connects, when there is no client, and looks for the topics that are known by now.
   *
   * @throws BrokerConnectionError when that fails, or takes longer than `timeoutMs`
   * @throws BrokerRefusedError when there is no such topic
   */
  async onModuleInit(): Promise<void> {
    const { brokers, timeoutMs, connection, destination, fallback } = this.#options;
    if (brokers === undefined) return;
    this.#producers = await producersFor(brokers, timeoutMs, connection);
    this.#renew();
    const topics = [destination, fallback].filter((topic) => typeof topic === 'string');
    const looked = this.#own!.metadata({ topics, retries: 3 });
    try {
      await inTime(looked, timeoutMs, 'Kafka has not been connected to');
    } catch (error) {
      await this.onApplicationShutdown();
      if (refusalIn(error) !== undefined) throw causeOf(error);
      throw new BrokerConnectionError(
        `KafkaAdapter cannot connect to ${brokers}: ${reasonOf(error)}. Is Kafka running there, and the port right?`,
        { cause: error },
      );
    }
  }

  async onApplicationShutdown(): Promise<void> {
    const own = this.#own;
    if (own === undefined) return;
    this.#own = undefined;
    this.#sender = undefined;
    await closesInTime(own.close(true), this.#options.timeoutMs);
  }

  interested(emission: Emission): boolean {
    return this.#records.hasPlaceFor(emission);
  }

  async deliver(batch: readonly Emission[], context?: DeliveryContext): Promise<void> {
    const { records, undelivered } = this.#records.write(batch);
    const waiting = new Set(records);
    const sender = this.#sender;
    const sent = this.#send(records, waiting, undelivered);
    try {
      const answered = unlessAborted(sent, context?.signal);
      await inTime(answered, this.#options.timeoutMs, 'Kafka has not taken the batch');
    } catch (error) {
      for (const { emission } of waiting) undelivered.add(emission, error);
      waiting.clear();
      // What it is still trying would come after what is sent next.
      if (this.#own !== undefined && sender === this.#sender) this.#renew();
    }
    undelivered.throwFor(batch);
  }

  /**
   * Sends what is still waiting; a part that is refused goes in smaller parts, one behind another, until each refused one is alone. A
   * part that was not answered holds back what is behind it.
   */
  async #send(
    records: readonly BrokerRecord[],
    waiting: Set<BrokerRecord>,
    undelivered: Undelivered,
  ): Promise<void> {
    const sender = this.#sender;
    if (sender === undefined) throw new BrokerConnectionError('KafkaAdapter is not connected yet.');
    if (records.length === 0 || !waiting.has(records[0]!)) return;
    let unsent: readonly BrokerRecord[] = [];
    let failure: unknown;
    try {
      await sender.send(records);
    } catch (error) {
      failure = error;
      unsent = sender.unsentOf(records, error);
    }
    const refusal = refusalIn(failure);
    const parts = refusal === undefined ? [] : partsOf(unsent, refusal.of);
    const left = new Set(unsent);
    for (const record of records) if (!left.has(record)) waiting.delete(record);
    // oxlint-disable-next-line no-await-in-loop -- in their order
    for (const part of parts) await this.#send(part, waiting, undelivered);
    if (parts.length > 0 || unsent.length === 0) return;
    const cause = causeOf(failure, unsent[0]!.destination);
    for (const record of refusal === undefined ? waiting : unsent) {
      if (waiting.delete(record)) undelivered.add(record.emission, cause);
    }
  }

  #renew(): void {
    void this.#own?.close(true).catch(() => {});
    this.#own = this.#producers!.create();
    this.#sender = new PlatformaticSender(
      this.#own,
      this.#options.send,
      this.#producers!.partitioner,
    );
  }
}

/** What a client said, as whoever reads it can use it. */
function causeOf(failure: unknown, topic?: string): Error {
  const refusal = refusalIn(failure);
  const to = topic === undefined ? '' : ` for the topic '${topic}'`;
  if (refusal === undefined) {
    return new BrokerConnectionError(
      `Kafka has not answered that it has what was sent${to}: ${reasonOf(failure)}.`,
      { cause: failure },
    );
  }
  const mending =
    refusal.of === 'topic'
      ? 'Make the topic, allow writing to it, or let the producer make it: connection: { autocreateTopics: true }.'
      : 'Emit less in one, or let the topic take more: max.message.bytes.';
  return new BrokerRefusedError(`Kafka refused what was sent${to}: ${refusal.reason}. ${mending}`, {
    cause: failure,
  });
}
