// What do the adapters to brokers cost, beside their clients alone, which send the same records in the same batches?
import { createHmac, createSecretKey, randomUUID } from 'node:crypto';
import { jetstream } from '@nats-io/jetstream';
import { connect as connectToNats, headers as natsHeaders } from '@nats-io/transport-node';
import { ClientProxyFactory, Transport } from '@nestjs/microservices';
import { Producer, compatibilityPartitioner } from '@platformatic/kafka';
import { connect as connectToRabbitMq } from 'amqplib';
import { createClient } from 'redis';
import { lastValueFrom } from 'rxjs';
import { Agent, request } from 'undici';
import { KafkaAdapter, cloudEventOf } from '../dist/brokers/kafka/index.js';
import { MicroservicesAdapter } from '../dist/brokers/microservices/index.js';
import { NatsAdapter } from '../dist/brokers/nats/index.js';
import { RabbitMqAdapter } from '../dist/brokers/rabbitmq/index.js';
import { RedisStreamsAdapter } from '../dist/brokers/redis/index.js';
import { WebhookAdapter } from '../dist/brokers/webhook/index.js';
import { fromCloudEvent } from '../dist/index.js';
import { createEmission } from '../dist/testing/index.js';
import { bringUpServices } from '../scripts/services.mjs';
import { payload } from './harness/applications.mjs';
import { kafkaEnd, natsEnd, rabbitMqEnd, redisEnd, webhookEnd } from './harness/brokers.mjs';

const AT_ONCE = 500;
const KEYS = 1_000;
const SECRET = `whsec_${Buffer.alloc(24, 7).toString('base64')}`;
/** Requests under way to the endpoint of a webhook. */
const LANES = 10;
/** How long one may take. */
const LIMIT_MS = 15_000;

await bringUpServices();
const { KAFKA_BROKERS, REDIS_URL, AMQP_URL, NATS_URL } = process.env;

/** The emissions, in batches; made before the clock runs. */
function batchesOf(count) {
  const one = createEmission('order.created', undefined, { tenant: 'org-1' });
  const emissions = Array.from({ length: count }, (_, n) =>
    Object.freeze({ ...one, id: randomUUID(), payload: payload(n), key: `order-${n % KEYS}`, occurredAt: one.occurredAt + n }),
  );
  return Array.from({ length: count / AT_ONCE }, (_, n) => emissions.slice(n * AT_ONCE, (n + 1) * AT_ONCE));
}

/** Records a second. `open(place)` gives { deliver(batch), close() }, and the end tells what has arrived. */
function rate(endOf, count, open) {
  return async () => {
    const end = await endOf();
    const sender = await open(end.place);
    const batches = batchesOf(count);
    const warmUp = batches.splice(0, batches.length / 5);
    for (const batch of warmUp) await sender.deliver(batch);
    globalThis.gc();
    const started = performance.now();
    for (const batch of batches) await sender.deliver(batch);
    const seconds = (performance.now() - started) / 1_000;
    await sender.close();
    const [first, last] = [warmUp[0][0], batches.at(-1).at(-1)];
    const found = await end.read({ first, last });
    if (found.count !== count) throw new Error(`${found.count} of ${count} have arrived.`);
    // Webhooks in several lanes end in any order.
    isSame(first, found.first, endOf === webhookEnd);
    isSame(last, found.last, endOf === webhookEnd);
    await end.close();
    return (batches.length * AT_ONCE) / seconds;
  };
}

function isSame(emission, record, isAnyOfThem) {
  const arrived = fromCloudEvent(record.headers['content-type'] === undefined ? eventOf(record) : cloudEventOf(record));
  const fields = ({ id, name, payload: { id: order, ...rest }, key, tenant, correlationId, occurredAt }) =>
    JSON.stringify([name, rest, tenant, ...(isAnyOfThem ? [] : [id, order, key, correlationId, occurredAt])]);
  if (fields(arrived) === fields(emission)) return;
  throw new Error(`${fields(arrived)} has arrived instead of ${fields(emission)}.`);
}

/** What @nestjs/microservices sends has no headers. */
const eventOf = ({ body }) => JSON.parse(body).data;

/** An adapter of ours, as Nest starts and closes it. */
async function ours(adapter) {
  await adapter.onModuleInit?.();
  const context = { attempt: 1, signal: new AbortController().signal, consumer: adapter.name };
  return {
    deliver: (batch) => adapter.deliver(batch, context),
    close: () => adapter.onApplicationShutdown(),
  };
}

/** The attributes of a CloudEvent, written by hand. */
const attributesOf = (emission) => ({
  specversion: '1.0',
  id: emission.id,
  source: '/nestjs-emissions',
  type: emission.name,
  time: new Date(emission.occurredAt).toISOString(),
  subject: emission.key,
  tenant: emission.tenant,
  correlationid: emission.correlationId,
  depth: '0',
  occurredat: String(emission.occurredAt),
});

/** The same as headers, beside those that the adapters write. */
function headersOf(emission, prefix) {
  const headers = {
    'message-id': emission.id,
    'correlation-id': emission.correlationId,
    tenant: emission.tenant,
    'content-type': 'application/json',
  };
  const attributes = attributesOf(emission);
  for (const name in attributes) headers[prefix + name] = attributes[name];
  return headers;
}

async function bareKafka(topic) {
  const producer = new Producer({
    ...{ clientId: 'bare', bootstrapBrokers: KAFKA_BROKERS.split(','), idempotent: true, compression: 'lz4' },
    ...{ producerId: -1n, producerEpoch: -1, partitioner: compatibilityPartitioner },
  });
  return {
    deliver: (batch) =>
      producer.send({
        acks: -1,
        messages: batch.map((emission) => ({
          topic,
          key: Buffer.from(emission.key),
          value: Buffer.from(JSON.stringify(emission.payload)),
          headers: new Map(
            Object.entries(headersOf(emission, 'ce_')).map(([name, text]) => [Buffer.from(name), Buffer.from(text)]),
          ),
          timestamp: BigInt(Math.floor(emission.occurredAt)),
        })),
      }),
    close: () => producer.close(),
  };
}

async function bareRedis(stream) {
  const client = createClient({ url: REDIS_URL, commandOptions: { timeout: 0 }, disableOfflineQueue: true });
  await client.connect();
  return {
    deliver: (batch) =>
      Promise.all(
        batch.map((emission) => {
          const command = ['XADD', stream, '*'];
          const headers = headersOf(emission, 'ce_');
          for (const name in headers) command.push(name, headers[name]);
          command.push('key', emission.key, 'body', JSON.stringify(emission.payload));
          return client.sendCommand(command);
        }),
      ),
    close: () => client.close(),
  };
}

async function bareRabbitMq(queue) {
  const model = await connectToRabbitMq(AMQP_URL);
  const channel = await model.createConfirmChannel();
  return {
    async deliver(batch) {
      for (const emission of batch) {
        channel.publish('', queue, Buffer.from(JSON.stringify(emission.payload)), {
          ...{ persistent: true, mandatory: true, headers: headersOf(emission, 'cloudEvents_') },
          ...{ messageId: emission.id, type: emission.name, correlationId: emission.correlationId },
          ...{ contentType: 'application/json', timestamp: Math.floor(emission.occurredAt / 1_000) },
        });
      }
      await channel.waitForConfirms();
    },
    close: () => model.close(),
  };
}

async function bareNats(subject) {
  const connection = await connectToNats({ servers: NATS_URL });
  const stream = jetstream(connection);
  return {
    deliver: (batch) =>
      Promise.all(
        batch.map((emission) => {
          const headers = natsHeaders();
          const texts = headersOf(emission, 'ce-');
          for (const name in texts) headers.set(name, texts[name]);
          return stream.publish(subject, JSON.stringify(emission.payload), { msgID: emission.id, headers });
        }),
      ),
    close: () => connection.close(),
  };
}

async function bareWebhook(url) {
  const agent = new Agent({ connections: 50 });
  const key = createSecretKey(Buffer.from(SECRET.slice('whsec_'.length), 'base64'));
  async function post(emission) {
    const timestamp = Math.floor(Date.now() / 1_000);
    const { datacontenttype = 'application/json', ...attributes } = attributesOf(emission);
    const body = JSON.stringify({ ...attributes, datacontenttype, depth: 0, data: emission.payload });
    const hmac = createHmac('sha256', key).update(`${emission.id}.${timestamp}.`).update(body);
    const answer = await request(url, {
      ...{ dispatcher: agent, method: 'POST', body, signal: AbortSignal.timeout(LIMIT_MS) },
      headers: {
        'message-id': emission.id,
        'correlation-id': emission.correlationId,
        tenant: emission.tenant,
        'content-type': 'application/cloudevents+json',
        'webhook-id': emission.id,
        'webhook-timestamp': String(timestamp),
        'webhook-signature': `v1,${hmac.digest('base64')}`,
      },
    });
    await answer.body.dump();
    if (answer.statusCode !== 204) throw new Error(`Answered ${answer.statusCode}.`);
  }
  return {
    async deliver(batch) {
      const left = [...batch];
      const lane = async () => {
        for (let emission = left.shift(); emission !== undefined; emission = left.shift()) await post(emission);
      };
      await Promise.all(Array.from({ length: LANES }, lane));
    },
    close: () => agent.destroy(),
  };
}

const overRmq = (queue) => ({
  transport: Transport.RMQ,
  options: { urls: [AMQP_URL], queue, persistent: true, queueOptions: { durable: true } },
});

async function bareMicroservices(queue) {
  const client = ClientProxyFactory.create(overRmq(queue));
  await client.connect();
  return {
    deliver: (batch) =>
      Promise.all(
        batch.map((emission) => {
          const event = { ...attributesOf(emission), datacontenttype: 'application/json', depth: 0, data: emission.payload };
          return lastValueFrom(client.emit('order.created', event), { defaultValue: undefined });
        }),
      ),
    close: () => client.close(),
  };
}

const questions = [
  {
    ...{ name: 'Kafka', isThere: KAFKA_BROKERS, end: kafkaEnd, count: 100_000, bare: bareKafka },
    adapter: (destination) => new KafkaAdapter({ brokers: KAFKA_BROKERS, destination }),
    label: '@platformatic/kafka: send',
  },
  {
    ...{ name: 'Redis', isThere: REDIS_URL, end: redisEnd, count: 50_000, bare: bareRedis },
    adapter: (destination) => new RedisStreamsAdapter({ url: REDIS_URL, destination, maxLength: 0 }),
    label: 'redis: XADD, all at once',
  },
  {
    ...{ name: 'RabbitMQ', isThere: AMQP_URL, end: rabbitMqEnd, count: 20_000, bare: bareRabbitMq },
    adapter: (destination) => new RabbitMqAdapter({ url: AMQP_URL, destination }),
    label: 'amqplib: publish, waitForConfirms',
  },
  {
    ...{ name: 'NATS', isThere: NATS_URL, end: natsEnd, count: 50_000, bare: bareNats },
    adapter: (destination) => new NatsAdapter({ url: NATS_URL, destination }),
    label: '@nats-io/jetstream: publish, all at once',
  },
  {
    ...{ name: 'webhook', isThere: true, end: webhookEnd, count: 20_000, bare: bareWebhook },
    adapter: (url) =>
      new WebhookAdapter({
        ...{ endpoints: [{ url, secrets: [SECRET] }], concurrency: LANES, timeoutMs: LIMIT_MS },
        ...{ allow: ['127.0.0.0/8'], allowHttp: true },
      }),
    label: `undici: request, ${LANES} at once, each with a time limit`,
  },
  {
    ...{ name: 'microservices', isThere: AMQP_URL, end: rabbitMqEnd, count: 10_000, bare: bareMicroservices },
    adapter: (queue) => new MicroservicesAdapter({ transport: overRmq(queue), destination: 'order.created' }),
    label: 'ClientRMQ: emit, all at once',
  },
].filter(({ isThere }) => isThere);

export default {
  title: `records through each adapter and through its client alone, in batches of ${AT_ONCE}`,
  unit: 'records per second that the broker has, the greater the better',
  rounds: 7,
  contenders: Object.fromEntries(
    questions.flatMap(({ name, end, count, adapter, bare, label }) => [
      [name, { run: rate(end, count, (place) => ours(adapter(place))) }],
      [`${name}, the client alone`, { run: rate(end, count, bare), label }],
    ]),
  ),
  targets: questions.map(({ name }) => ({
    ...{ id: 'P9', says: `records per second to ${name} against its client alone`, atLeast: 0.9 },
    ...{ of: name, to: `${name}, the client alone` },
  })),
};
