import {
  defineOptions,
  milliseconds,
  text,
  value,
  type OptionSet,
} from '../../emission/option-set.js';
import { recordRules, type RecordOptions } from '../broker-record.js';
import { clientOptions, type ClientOptions } from '../client-options.js';
import type { KafkaJsProducer } from './kafkajs.sender.js';
import type { PlatformaticProducer } from './platformatic.sender.js';

/** Where Kafka is, and how it is sent to. `destination` is the topic. */
export interface KafkaOptions extends RecordOptions {
  /**
   * A producer that the application has, connected and yours to close: of `@platformatic/kafka`, without serializers; or of `kafkajs`
   * or anything shaped like it. Acks, idempotence, compression, partitions and retries are as you have set them, and a failed send
   * fails as a whole. Either this or `brokers`.
   */
  client?: PlatformaticProducer | KafkaJsProducer;
  /**
   * The servers that the adapter makes a producer for, with the package `@platformatic/kafka`: `127.0.0.1:9092`, several with commas.
   */
  brokers?: string;
  /**
   * What `new Producer` of `@platformatic/kafka` takes besides: `{ clientId, tls, sasl, autocreateTopics, compression }`. Unless this
   * says otherwise, the producer is idempotent, compresses with `lz4`, and makes no topics.
   */
  connection?: ClientOptions;
  /** What each send takes besides: `{ compression: CompressionTypes.GZIP }` for `kafkajs`. */
  send?: ClientOptions;
  /**
   * How long Kafka may take for a batch, in milliseconds. Within it, the adapter's own producer tries again what was not answered,
   * and Kafka stores it once; later, the batch has failed, and may have arrived.
   * @default 10000
   */
  timeoutMs: number;
}

/** The rules of {@link KafkaOptions}. */
export const kafkaOptions: OptionSet<KafkaOptions> = defineOptions<KafkaOptions>({
  ...recordRules,
  client: value<PlatformaticProducer | KafkaJsProducer>(
    'a producer of @platformatic/kafka (new Producer) or kafkajs (kafka.producer())',
    (given) => {
      const { send, metadata, sendBatch } = (given ?? {}) as Record<string, unknown>;
      return typeof send === 'function' && typeof (sendBatch ?? metadata) === 'function';
    },
  ),
  brokers: text(),
  connection: clientOptions('Producer'),
  send: clientOptions('send'),
  timeoutMs: milliseconds({ min: 1, default: 10_000 }),
});
