import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { NatsAdapter } from 'nestjs-emissions/nats';
import { adapterContract, createEmission, serveAdapter } from 'nestjs-emissions/testing';
import { arrivalOf, emissionOf, Refusals, Unwritable } from '../../support/brokers.js';

const url = process.env['NATS_URL'];
const describeNats = url === undefined ? describe.skip : describe;

describe('A NatsAdapter', () => {
  it('says at start-up where there is no NATS', async () => {
    const adapter = new NatsAdapter({ url: 'nats://127.0.0.1:1', destination: 's' });
    await expect(adapter.onModuleInit()).rejects.toThrow(
      /cannot connect to 127.0.0.1:1: .*Is NATS running there/,
    );
  });
});

describeNats('A NatsAdapter in front of JetStream (NATS_URL)', () => {
  let connection: NatsConnection;
  let manager: JetStreamManager;
  let streams = 0;

  beforeAll(async () => {
    connection = await connect({ servers: url! });
    manager = await jetstreamManager(connection);
  });
  afterAll(async () => {
    await connection?.close();
  });

  /** A stream of subjects, and what it holds. */
  async function streamOf() {
    const name = `TEST_${process.pid}_${++streams}`;
    await manager.streams.add({ name, subjects: [`${name}.>`] });
    const records = async () => {
      const { state } = await manager.streams.info(name);
      const all = Array.from({ length: state.messages }, (_, i) => state.first_seq + i);
      const messages = await Promise.all(
        all.map((seq) => manager.streams.getMessage(name, { seq })),
      );
      return messages.map((message) => ({
        headers: Object.fromEntries(
          [...message!.header.keys()].map((header) => [header, message!.header.get(header)]),
        ),
        body: message!.data,
      }));
    };
    const close = async () => void (await manager.streams.delete(name));
    return {
      ...{ name, subject: `${name}.happened`, records, close },
      arrivals: async () => (await records()).map(arrivalOf),
      payloads: async () => (await records()).map((record) => emissionOf(record).payload),
      [Symbol.asyncDispose]: close,
    };
  }

  describe.each(['its own connection', 'one of the application'])('through %s', (whose) => {
    adapterContract({
      test: it,
      expect,
      features: { failures: true, partialFailures: true, unencodable: () => new Unwritable() },
      create: async (consumer) => {
        const { subject, arrivals, close } = await streamOf();
        const refusals = new Refusals();
        const destination = refusals.route(subject, 'covered.by.none');
        const client =
          whose === 'its own connection' ? undefined : await connect({ servers: url! });
        const given = client === undefined ? { url: url! } : { client };
        const useFactory = () => new NatsAdapter({ ...given, destination, subjects: [subject] });
        return {
          app: await serveAdapter({ useFactory }, consumer),
          received: arrivals,
          refuse: (which, times) => refusals.refuse(which, times),
          close: async () => {
            await client?.close();
            await close();
          },
        };
      },
    });
  });

  it('stores an emission once, however often it is delivered', async () => {
    await using end = await streamOf();
    const adapter = new NatsAdapter({ url: url!, destination: end.subject });
    await adapter.onModuleInit();
    const batch = [createEmission('e', 1), createEmission('e', 2)];
    await adapter.deliver(batch);
    await adapter.deliver(batch);
    expect(await end.payloads()).toEqual([1, 2]);
    const [first] = await end.records();
    expect(first!.headers).toMatchObject({ 'Nats-Msg-Id': batch[0]!.id, 'ce-type': 'e' });
    await adapter.onApplicationShutdown();
  });

  it('fails when another adapter has stored the emission in that stream, which keeps it once', async () => {
    await using end = await streamOf();
    const adapters = ['orders', 'audit'].map(
      (name) => new NatsAdapter({ url: url!, destination: `${end.name}.${name}` }),
    );
    const [orders, audit] = adapters as [NatsAdapter, NatsAdapter];
    await Promise.all(adapters.map((adapter) => adapter.onModuleInit()));
    const emission = createEmission('e', 1);
    const attempt = (number: number) => ({
      ...{ attempt: number, consumer: 'nats', signal: new AbortController().signal },
    });
    await orders.deliver([emission], attempt(1));
    await expect(audit.deliver([emission], attempt(1))).rejects.toThrow(
      /has the emission already, by another adapter.*Give each adapter a stream of its own/,
    );
    await expect(orders.deliver([emission], attempt(2))).resolves.toBeUndefined();
    expect(await end.payloads()).toEqual([1]);
    await Promise.all(adapters.map((adapter) => adapter.onApplicationShutdown()));
  });

  it('leaves a connection of the application as it was', async () => {
    await using end = await streamOf();
    const client = await connect({ servers: url! });
    const [first, second] = [1, 2].map(
      () => new NatsAdapter({ client, destination: end.subject }),
    ) as [NatsAdapter, NatsAdapter];
    await Promise.all([first, second].map((adapter) => adapter.onModuleInit()));
    await first.onApplicationShutdown();
    await second.deliver([createEmission('e', 1)]);
    await second.onApplicationShutdown();
    expect(client.isClosed()).toBe(false);
    expect(await end.payloads()).toEqual([1]);
    await client.close();
  });

  it('refuses to start when no stream covers its subjects', async () => {
    await using end = await streamOf();
    const made = { url: url!, destination: end.subject };
    const uncovered = new NatsAdapter({ ...made, destination: 'covered.by.none' });
    await expect(uncovered.onModuleInit()).rejects.toThrow(
      /No stream of JetStream covers the subject 'covered.by.none'.*nats stream add/,
    );
    const oneOfThem = new NatsAdapter({ ...made, subjects: ['covered.by.none'] });
    await expect(oneOfThem.onModuleInit()).rejects.toThrow(/covers the subject 'covered.by.none'/);
  });

  it('says which subject no stream covers, and what is too large', async () => {
    await using end = await streamOf();
    const destination = ({ name }: { name: string }) => `${end.name}.${name}`;
    const adapter = new NatsAdapter({ url: url!, destination });
    await adapter.onModuleInit();
    const large = createEmission('e', 'x'.repeat(2 ** 21));
    const failure = adapter.deliver([createEmission('e', 1), large]);
    await expect(failure).rejects.toMatchObject({ failed: [large] });
    expect(await end.payloads()).toEqual([1]);
    await end.close();
    await expect(adapter.deliver([createEmission('e', 2)])).rejects.toThrow(
      /No stream of JetStream covers/,
    );
    await manager.streams.add({ name: end.name, subjects: [`${end.name}.>`] });
    await adapter.onApplicationShutdown();
  });
});
