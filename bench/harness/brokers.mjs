// The other ends of the adapters: each makes a place of its own to send to, and tells what is there. `read` gives how many records
// there are, and the first and the last of them, as { headers, body } or, where there are no headers, { event }.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect as connectToNats } from '@nats-io/transport-node';
import { Admin, fetchV4 } from '@platformatic/kafka';
import { connect as connectToRabbitMq } from 'amqplib';
import { createClient } from 'redis';

const nameFor = (kind) => `bench-${kind}-${process.pid}-${randomBytes(4).toString('hex')}`;

export async function kafkaEnd() {
  const topic = nameFor('kafka');
  const bootstrapBrokers = process.env.KAFKA_BROKERS.split(',');
  const admin = new Admin({ clientId: 'bench', bootstrapBrokers, autocreateTopics: true, retries: 20, retryDelay: 50 });
  const { topics } = await admin.metadata({ topics: [topic] });
  const { partitions } = topics.get(topic);

  async function fetch(partition, fetchOffset) {
    const { brokers } = await admin.metadata({ topics: [topic] });
    const connection = await admin.connections.get(brokers.get(partitions[partition].leader));
    const wanted = { partition, fetchOffset, partitionMaxBytes: 1_000_000, currentLeaderEpoch: -1, lastFetchedEpoch: -1 };
    const answer = await fetchV4.api.async(
      ...[connection, 0, 0, 1_000_000, 0, 0, 0, [{ topicId: topic, partitions: [wanted] }], [], ''],
    );
    return answer.responses[0].partitions[0];
  }
  const recordOf = ({ headers, value }) => ({
    headers: Object.fromEntries(headers.map(([name, text]) => [String(name), String(text)])),
    body: value,
  });

  return {
    place: topic,
    /** Of keys: the first of all is the first of its partition, and the last of all the last. */
    async read({ first, last }) {
      let count = 0;
      const found = {};
      for (let n = 0; n < partitions.length; n++) {
        const from = await fetch(n, 0n);
        if (from.highWatermark === 0n) continue;
        count += Number(from.highWatermark);
        const until = await fetch(n, from.highWatermark - 1n);
        const one = recordOf(from.records[0].records[0]);
        const other = recordOf(until.records.at(-1).records.at(-1));
        if (one.headers['message-id'] === first.id) found.first = one;
        if (other.headers['message-id'] === last.id) found.last = other;
      }
      return { count, ...found };
    },
    close: () => admin.close(),
  };
}

export async function redisEnd() {
  const stream = nameFor('redis');
  const client = createClient({ url: process.env.REDIS_URL });
  await client.connect();
  const recordOf = ([{ message }]) => {
    const { key, body, ...headers } = message;
    return { headers, body };
  };
  return {
    place: stream,
    read: async () => ({
      count: await client.xLen(stream),
      first: recordOf(await client.xRange(stream, '-', '+', { COUNT: 1 })),
      last: recordOf(await client.xRevRange(stream, '+', '-', { COUNT: 1 })),
    }),
    async close() {
      await client.del(stream);
      await client.close();
    },
  };
}

export async function rabbitMqEnd() {
  const queue = nameFor('rabbitmq');
  const model = await connectToRabbitMq(process.env.AMQP_URL);
  const channel = await model.createChannel();
  await channel.assertQueue(queue, { durable: true });
  return {
    place: queue,
    async read() {
      const { messageCount } = await channel.checkQueue(queue);
      const messages = [];
      await new Promise((resolve) =>
        channel.consume(
          queue,
          (message) => {
            messages.push(message);
            if (messages.length === messageCount) resolve();
          },
          { noAck: true },
        ),
      );
      const recordOf = ({ properties, content }) => ({ headers: properties.headers, body: content });
      return { count: messages.length, first: recordOf(messages[0]), last: recordOf(messages.at(-1)) };
    },
    async close() {
      await channel.deleteQueue(queue);
      await model.close();
    },
  };
}

export async function natsEnd() {
  const name = nameFor('nats');
  const connection = await connectToNats({ servers: process.env.NATS_URL });
  const manager = await jetstreamManager(connection);
  await manager.streams.add({ name, subjects: [`${name}.>`] });
  const at = async (seq) => {
    const { header, data } = await manager.streams.getMessage(name, { seq });
    return { headers: Object.fromEntries(header.keys().map((key) => [key, header.get(key)])), body: data };
  };
  return {
    place: `${name}.happened`,
    async read() {
      const { state } = await manager.streams.info(name);
      return { count: state.messages, first: await at(state.first_seq), last: await at(state.last_seq) };
    },
    async close() {
      await manager.streams.delete(name);
      await connection.close();
    },
  };
}

/** A server in a process of its own, which looks at signatures as often as it is asked to: never, here. */
export async function webhookEnd() {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'receiver.mjs')], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const [url] = await once(child, 'message');
  return {
    place: url,
    async read() {
      child.send('read');
      const [told] = await once(child, 'message');
      return told;
    },
    close: () => child.kill(),
  };
}
