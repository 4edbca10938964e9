import { randomUUID } from 'node:crypto';
import { KafkaAdapter } from 'nestjs-emissions/kafka';
import { emissionOf } from '../brokers.js';
import { hasStandIn, moveAddress, startStandIn, TopicReader } from '../kafka.js';
import {
  ANSWER_MS,
  type FaultyDestination,
  type FaultyServer,
  type Numbered,
} from './destination.js';

/** A stand-in for Kafka. What is killed of it is its one server; what that has taken is there again with it, as it would be on disk. */
export const KAFKA: FaultyServer = {
  name: 'Kafka, a stand-in',
  missing: hasStandIn() ? undefined : 'no python3 with librdkafka1',
  async start() {
    const kafka = await startStandIn(1);
    return {
      port: Number(kafka.brokers.split(':')[1]),
      kill: () => void kafka.tell('down 1'),
      start: () => kafka.tell('up 1'),
      [Symbol.asyncDispose]: () => kafka[Symbol.asyncDispose](),
    };
  },
  alter: moveAddress,
  destinations: [topic],
};

async function topic(port: number, id: string = randomUUID()): Promise<FaultyDestination> {
  const name = `faults-${id}`;
  const servers = `127.0.0.1:${port}`;
  {
    await using reader = new TopicReader(servers, name);
    await reader.make();
  }
  return {
    name: 'kafka',
    promise: { keeps: 'everything', repeats: 'what was tried again' },
    adapter: (through) =>
      new KafkaAdapter({
        ...{ brokers: `127.0.0.1:${through}`, destination: name, timeoutMs: ANSWER_MS },
      }),
    async arrivals() {
      await using reader = new TopicReader(servers, name);
      const records = await reader.records();
      // Kafka knows by its number what it has; the stand-in takes it again.
      const known = new Map(records.toReversed().map((record) => [record.number, record]));
      return records
        .filter((record) => known.get(record.number) === record)
        .map((record) => emissionOf(record).payload as Numbered);
    },
    [Symbol.asyncDispose]: async () => {},
  };
}
