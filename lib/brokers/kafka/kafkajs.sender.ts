import type { BrokerRecord } from '../broker-record.js';
import { bytesOf } from '../bytes-of.js';
import type { KafkaSender } from './kafka.sender.js';

/** A record as `kafkajs` takes it. */
export interface KafkaJsMessage {
  key: string | null;
  value: Buffer;
  headers: Readonly<Record<string, string>>;
  timestamp: string;
}

/** A producer of `kafkajs`, or one shaped like it (Confluent's `KafkaJS` API), as far as it is needed. */
export interface KafkaJsProducer {
  send(record: never): Promise<unknown>;
  sendBatch(batch: {
    topicMessages: { topic: string; messages: KafkaJsMessage[] }[];
  }): Promise<unknown>;
}

/** Sends through a producer that the application has. */
export class KafkaJsSender implements KafkaSender {
  constructor(
    private readonly producer: KafkaJsProducer,
    private readonly options: Readonly<Record<string, unknown>> = {},
  ) {}

  send(records: readonly BrokerRecord[]): Promise<unknown> {
    const byTopic = Map.groupBy(records, ({ destination }) => destination);
    const topicMessages = Array.from(byTopic, ([topic, all]) => ({
      topic,
      messages: all.map(messageOf),
    }));
    return this.producer.sendBatch({ ...this.options, topicMessages });
  }

  /** It does not say which brokers have taken theirs. */
  unsentOf(records: readonly BrokerRecord[]): readonly BrokerRecord[] {
    return records;
  }
}

function messageOf({ emission, key, headers, body }: BrokerRecord): KafkaJsMessage {
  const timestamp = String(Math.floor(emission.occurredAt));
  return { key: key ?? null, value: bytesOf(body), headers, timestamp };
}
