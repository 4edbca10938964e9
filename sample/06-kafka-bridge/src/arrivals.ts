import { randomUUID } from 'node:crypto';
import { Consumer, stringDeserializers } from '@platformatic/kafka';
import { fromCloudEvent, type Emission } from 'nestjs-emissions';
import { cloudEventOf } from 'nestjs-emissions/kafka';

/** Whoever reads the topic, from now on: another application, in your system. */
export class Arrivals {
  readonly #consumer: Consumer<string, string, string, string>;

  constructor(brokers: string) {
    this.#consumer = new Consumer({
      clientId: 'arrivals',
      groupId: `arrivals-${randomUUID()}`,
      bootstrapBrokers: brokers.split(','),
      autocreateTopics: true,
      deserializers: stringDeserializers,
      maxWaitTime: 100,
    });
  }

  /** Resolves when it has joined its group; from then on, tells of each emission. */
  async follow(topic: string, tell: (emission: Emission) => void): Promise<void> {
    const messages = await this.#consumer.consume({ topics: [topic], mode: 'latest' });
    messages.on('data', ({ headers, value }) => {
      tell(fromCloudEvent(cloudEventOf({ headers: Object.fromEntries(headers), body: value })));
    });
  }

  close(): Promise<void> {
    return this.#consumer.close(true);
  }
}
