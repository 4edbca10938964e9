import { ConfigurationError } from '../../emission/emission.errors.js';
import type { Partitioner, PlatformaticProducer } from './platformatic.sender.js';

/** A producer that can be asked for topics, and closed. */
export interface OwnProducer extends PlatformaticProducer {
  close(force: boolean): Promise<void>;
}

/** What makes the adapter's producers, and says where records go. */
export interface Producers {
  create(): OwnProducer;
  readonly partitioner: Partitioner;
}

const FIRST_DELAY_MS = 50;
const LONGEST_DELAY_MS = 1_000;

/**
 * Makes producers of `@platformatic/kafka` that try again what was not answered for about half of the time there is, and do not go on
 * after that.
 *
 * @throws ConfigurationError when they were to have serializers, which make nothing of bytes
 */
export async function producersFor(
  brokers: string,
  timeoutMs: number,
  connection: Readonly<Record<string, unknown>> = {},
): Promise<Producers> {
  if (connection['serializers'] !== undefined) {
    throw new ConfigurationError(
      'KafkaAdapter: connection cannot have serializers, which make nothing of the bytes that it sends. Leave them out, and write format: (emission) => ({ body, contentType }).',
    );
  }
  const { Producer, compatibilityPartitioner } = await import('@platformatic/kafka');
  const partitioner = (connection['partitioner'] ?? compatibilityPartitioner) as Partitioner;
  const patienceMs = Math.ceil(timeoutMs / 4);
  const create = (): OwnProducer =>
    new Producer({
      clientId: 'nestjs-emissions',
      ...{ idempotent: true, compression: 'lz4' },
      // Else it resumes the producer 0, which some servers do not know.
      ...{ producerId: -1n, producerEpoch: -1 },
      ...{ timeout: patienceMs, requestTimeout: patienceMs, connectTimeout: patienceMs },
      // An idempotent one would never give up.
      retries: retriesWithin(timeoutMs / 2),
      retryDelay: (_client, _operation, attempt) => delayBefore(attempt),
      ...connection,
      bootstrapBrokers: brokers.split(',').map((broker) => broker.trim()),
    });
  return { create, partitioner };
}

function delayBefore(attempt: number): number {
  return Math.min(FIRST_DELAY_MS * 2 ** (attempt - 1), LONGEST_DELAY_MS);
}

/** Two at least: what is less, the producer takes for no limit. */
function retriesWithin(ms: number): number {
  let retries = 2;
  let spent = delayBefore(1) + delayBefore(2);
  while ((spent += delayBefore(retries + 1)) <= ms) retries++;
  return retries;
}
