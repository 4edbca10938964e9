import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Admin, fetchV4, type Connection } from '@platformatic/kafka';
import { arrivalOf, emissionOf } from './brokers.js';
import { wireTo, type Wire } from './wire.js';
import { root } from './imports.js';

/** A record as it lies in a partition. */
export interface StoredRecord {
  readonly partition: number;
  readonly offset: bigint;
  readonly timestamp: bigint;
  readonly key: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** Its partition, who has sent it, and its number among theirs: by this Kafka knows what it has already. */
  readonly number: string;
}

/** Reads what topics hold, without a group, which takes seconds to join. */
export class TopicReader implements AsyncDisposable {
  readonly #client: Admin;
  readonly #topic: string;
  readonly #partitions: StoredRecord[][] = [];

  constructor(brokers: string, topic: string) {
    this.#topic = topic;
    this.#client = new Admin({
      ...{ clientId: 'reader', bootstrapBrokers: brokers.split(','), autocreateTopics: true },
      ...{ retries: 20, retryDelay: 50 },
    });
  }

  /** Makes the topic when there is none. */
  async make(): Promise<void> {
    await this.#client.metadata({ topics: [this.#topic] });
  }

  /** All records, one partition behind another. */
  async records(): Promise<readonly StoredRecord[]> {
    // Partitions may have moved.
    const metadata = await this.#client.metadata({ topics: [this.#topic], forceUpdate: true });
    const { partitions } = metadata.topics.get(this.#topic)!;
    await Promise.all(
      partitions.map(async ({ leader }, partition) => {
        const connection = await this.#client.connections.get(metadata.brokers.get(leader)!);
        await this.#read(connection, partition);
      }),
    );
    return this.#partitions.flat();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.close();
  }

  async #read(connection: Connection, partition: number): Promise<void> {
    const records = (this.#partitions[partition] ??= []);
    for (;;) {
      const fetchOffset = BigInt(records.length);
      const wanted = { partition, fetchOffset, partitionMaxBytes: 5_000_000 };
      const topics = [
        {
          topicId: this.#topic,
          partitions: [{ ...wanted, currentLeaderEpoch: -1, lastFetchedEpoch: -1 }],
        },
      ];
      // oxlint-disable-next-line no-await-in-loop -- the next part is known when this one is here
      const { responses } = await fetch(connection, 0, 0, 5_000_000, 0, 0, 0, topics, [], '');
      const answer = responses[0]!.partitions[0]!;
      for (const batch of answer.records ?? []) {
        for (const { offsetDelta, timestampDelta, key, value, headers } of batch.records) {
          const offset = batch.firstOffset + BigInt(offsetDelta);
          if (offset < BigInt(records.length)) continue;
          const number = `${partition} ${batch.producerId}/${batch.producerEpoch}: ${batch.firstSequence + offsetDelta}`;
          records.push({
            ...{ partition, offset, number, timestamp: batch.firstTimestamp + timestampDelta },
            ...{ key: key?.toString(), body: Buffer.from(value ?? '') },
            headers: Object.fromEntries(
              headers.map(([name, text]) => [String(name), String(text)]),
            ),
          });
        }
      }
      if (BigInt(records.length) >= answer.highWatermark) return;
    }
  }
}

let topics = 0;

/** A topic that there is from now on, and what it holds. */
export async function topicOf(brokers: string) {
  const topic = `test-${process.pid}-${Date.now()}-${++topics}`;
  const reader = new TopicReader(brokers, topic);
  await reader.make();
  return {
    topic,
    records: () => reader.records(),
    arrivals: async () => (await reader.records()).map(arrivalOf),
    payloads: async () => (await reader.records()).map((record) => emissionOf(record).payload),
    [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose](),
  };
}

/** As it is: its types leave out that it takes arguments. */
const fetch = fetchV4.api.async as unknown as (
  connection: Connection,
  ...request: Parameters<typeof fetchV4.createRequest>
) => Promise<fetchV4.FetchResponse>;

/** A stand-in of one's own, that can be told to fail. */
export interface StandIn extends Servers {
  /** A line of `scripts/kafka-stand-in.py`; resolves when it is done. */
  tell(line: string): Promise<void>;
}

/** Wires in front of all servers. What they say of where they are is altered, so that clients come through the wires. */
export async function wiresTo(
  brokers: string,
): Promise<Pick<Wire, 'swallowAnswers' | 'swallow' | 'cut' | 'mend'> & Servers> {
  const ports = brokers.split(',').map((broker) => Number(broker.split(':')[1]));
  const wires: Wire[] = [];
  const alter = (bytes: Buffer): Buffer => {
    for (const [index, wire] of wires.entries()) moveAddress(bytes, ports[index]!, wire.port);
    return bytes;
  };
  for (const port of ports) {
    // oxlint-disable-next-line no-await-in-loop -- in the order of the servers
    wires.push(await wireTo(port, alter));
  }
  const all = (verb: 'swallowAnswers' | 'swallow' | 'cut' | 'mend') => (): void => {
    for (const wire of wires) wire[verb]();
  };
  return {
    brokers: wires.map(({ port }) => `127.0.0.1:${port}`).join(','),
    ...{ swallowAnswers: all('swallowAnswers'), swallow: all('swallow') },
    ...{ cut: all('cut'), mend: all('mend') },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(wires.map((wire) => wire[Symbol.asyncDispose]()));
    },
  };
}

/** Puts an address on loopback in the place of another, wherever a server says that it is there. */
export function moveAddress(bytes: Buffer, from: number, to: number): Buffer {
  const said = addressOf(from);
  for (let at = bytes.indexOf(said); at !== -1; at = bytes.indexOf(said, at + 1)) {
    addressOf(to).copy(bytes, at);
  }
  return bytes;
}

/** As it stands in a response: a text with its length, and a number. */
function addressOf(port: number): Buffer {
  const address = Buffer.from('\0\x09127.0.0.1\0\0\0\0');
  address.writeInt32BE(port, address.length - 4);
  return address;
}

/** Where servers are; disposing ends them. */
interface Servers extends AsyncDisposable {
  readonly brokers: string;
}

const PYTHON = '/usr/bin/python3';

/** Whether it can be had here. */
export function hasStandIn(): boolean {
  const look = `import ctypes; ctypes.CDLL('librdkafka.so.1')`;
  return spawnSync(PYTHON, ['-c', look]).status === 0;
}

export async function startStandIn(servers = 3): Promise<StandIn> {
  const child = spawn(PYTHON, [join(root, 'scripts', 'kafka-stand-in.py'), String(servers)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error('The stand-in for Kafka has ended.');
    return value;
  };
  const brokers = (await next()).replace('KAFKA_BROKERS=', '');
  let told = Promise.resolve();
  return {
    brokers,
    tell: (line) => {
      const telling = told.then(async () => {
        child.stdin.write(`${line}\n`);
        const answer = await next();
        if (answer !== `OK ${line}`) throw new Error(`The stand-in says: ${answer}`);
      });
      told = telling.catch(() => {});
      return telling;
    },
    [Symbol.asyncDispose]: async () => {
      const ended = once(child, 'exit');
      child.kill();
      await ended;
    },
  };
}
