import { ConfigurationError } from '../../emission/emission.errors.js';
import type { BrokerRecord } from '../broker-record.js';
import { bytesOf } from '../bytes-of.js';
import { causesOf, type KafkaSender } from './kafka.sender.js';

/** A record as `@platformatic/kafka` takes it. */
export interface PlatformaticMessage {
  topic: string;
  key?: Buffer;
  value: Buffer;
  headers: Map<Buffer, Buffer>;
  timestamp: bigint;
  partition?: number;
}

/** A producer of `@platformatic/kafka` without serializers, as far as it is needed. */
export interface PlatformaticProducer {
  send(options: { messages: PlatformaticMessage[]; acks?: number }): Promise<unknown>;
  metadata(options: { topics: string[]; retries?: number }): Promise<{
    topics: Map<string, { partitionsCount: number }>;
  }>;
}

/** Tells the hash of a key, of which the partition is what remains; the same number as before for records without one. */
export type Partitioner = (message: PlatformaticMessage, key: Buffer | undefined) => number;

/** How often it is asked for topics that are not there, or are just being made. */
const LOOKS = 3;

const ALL = -1;
const DUPLICATE_SEQUENCE_NUMBER = 46;

/** Sends through a producer of `@platformatic/kafka`: one request for each server that leads a partition. */
export class PlatformaticSender implements KafkaSender {
  /** Where the records of calls under way went, as far as it is said here and not by the producer. */
  readonly #partitions = new WeakMap<BrokerRecord, number>();
  #turn = 0;

  /** @param partitioner says where records go; without one, the producer does, and does not tell */
  constructor(
    private readonly producer: PlatformaticProducer,
    private readonly options: Readonly<Record<string, unknown>> = {},
    private readonly partitioner?: Partitioner,
  ) {
    if (partitioner === undefined) refuseSerializers(producer);
  }

  async send(records: readonly BrokerRecord[]): Promise<unknown> {
    const topics = [...new Set(records.map(({ destination }) => destination))];
    // An idempotent producer would ask for a topic that is not there for ever.
    const known = await this.producer.metadata({ topics, retries: LOOKS });
    const turn = this.#turn++;
    const messages = records.map((record) => {
      const message = messageOf(record);
      if (this.partitioner === undefined) return message;
      // What has no key stays together, and the next call's goes elsewhere.
      const hash = message.key === undefined ? turn : this.partitioner(message, message.key);
      message.partition = hash % known.topics.get(message.topic)!.partitionsCount;
      this.#partitions.set(record, message.partition);
      return message;
    });
    return this.producer.send({ acks: ALL, ...this.options, messages });
  }

  unsentOf(records: readonly BrokerRecord[], failure: unknown): readonly BrokerRecord[] {
    const taken = takenIn(failure);
    return records.filter(
      (record) => !taken.has(placeOf(record.destination, this.#partitions.get(record))),
    );
  }
}

/** The partitions that have taken theirs: of servers that took all, and of those that refused a part. */
function takenIn(failure: unknown): Set<string> {
  const taken = new Set<string>();
  for (const { produced, response } of causesOf(failure)) {
    const { offsets = [] } = (produced ?? {}) as {
      offsets?: { topic: string; partition: number }[];
    };
    for (const { topic, partition } of offsets) taken.add(placeOf(topic, partition));
    const { responses = [] } = (response ?? {}) as { responses?: ProduceResponse[] };
    for (const { name, partitionResponses = [] } of responses) {
      for (const { index, errorCode } of partitionResponses) {
        const isThere = errorCode === 0 || errorCode === DUPLICATE_SEQUENCE_NUMBER;
        if (isThere) taken.add(placeOf(name, index));
      }
    }
  }
  return taken;
}

interface ProduceResponse {
  readonly name: string;
  readonly partitionResponses?: readonly { readonly index: number; readonly errorCode: number }[];
}

function placeOf(topic: string, partition: number | undefined): string {
  return `${topic}:${partition}`;
}

/** The names of headers are few. */
const NAMES = new Map<string, Buffer>();
const MANY_NAMES = 1_000;

function nameOf(header: string): Buffer {
  const known = NAMES.get(header);
  if (known !== undefined) return known;
  const name = Buffer.from(header);
  if (NAMES.size < MANY_NAMES) NAMES.set(header, name);
  return name;
}

function messageOf(record: BrokerRecord): PlatformaticMessage {
  const { destination: topic, emission, key, headers: given, body } = record;
  const headers = new Map<Buffer, Buffer>();
  for (const name in given) headers.set(nameOf(name), Buffer.from(given[name]!));
  const timestamp = BigInt(Math.floor(emission.occurredAt));
  const message = { topic, value: bytesOf(body), headers, timestamp };
  return key === undefined ? message : { ...message, key: Buffer.from(key) };
}

/** A serializer for text makes nothing of bytes, and Kafka would get records without a value. */
function refuseSerializers(producer: PlatformaticProducer): void {
  const { getSendTopicPartitions: ask } = producer as unknown as {
    getSendTopicPartitions?: (options: object) => unknown;
  };
  const sent = Buffer.from('key');
  let got: unknown = sent;
  const partitioner = (_: unknown, key: unknown): number => ((got = key), 0);
  try {
    ask?.call(producer, { messages: [{ topic: 'none', key: sent }], partitioner });
  } catch (error) {
    got = error;
  }
  if (Buffer.isBuffer(got) && got.equals(sent)) return;
  throw new ConfigurationError(
    'KafkaAdapter takes a producer of @platformatic/kafka without serializers, but this one has some, which make nothing of bytes. Give it brokers, or a producer of its own.',
  );
}
