import type { OnApplicationShutdown, OnModuleInit } from '@nestjs/common';
import type { EmissionAdapter } from '../../emission/adapter.js';
import type { Emission } from '../../emission/emission.js';
import { BrokerConnectionError, messageOf } from '../broker.errors.js';
import { RecordWriter, type BrokerRecord } from '../broker-record.js';
import { checkSource, checkUrl } from '../client-options.js';
import { closesInTime, inTime } from '../in-time.js';
import { sendEach } from '../send-each.js';
import {
  redisStreamsOptions,
  type RedisArgument,
  type RedisStreamsOptions,
} from './redis-streams.options.js';

/** The client that the adapter makes for itself. */
interface OwnClient {
  sendCommand(command: RedisArgument[]): Promise<unknown>;
  connect(): Promise<unknown>;
  close(): Promise<unknown>;
  destroy(): void;
  on(event: 'error', listener: (error: unknown) => void): unknown;
}

/**
 * Appends emissions to Redis streams, a batch in one round trip. An entry has the record's headers, its `key` when it has one, and
 * its `body` as fields.
 *
 * Delivered is what Redis has answered: it is in memory there, and on disk as Redis is configured (`appendfsync`). At least once: a
 * batch whose answer is lost fails, and a retry appends it again with the same `message-id`. Without a connection it fails at once,
 * and nothing is queued. Emissions of a key, and all of one stream, keep their order, unless Redis refuses one and takes the next.
 *
 * ```ts
 * { useFactory: () => new RedisStreamsAdapter({ url: 'redis://127.0.0.1:6379', destination: byTopic('shop:') }),
 *   consumer: { retry: { attempts: 10 } } }
 * ```
 */
export class RedisStreamsAdapter implements EmissionAdapter, OnModuleInit, OnApplicationShutdown {
  readonly name = 'redis-streams';
  readonly #options: RedisStreamsOptions;
  readonly #records: RecordWriter;
  readonly #trim: readonly string[];
  #send: ((command: RedisArgument[]) => Promise<unknown>) | undefined;
  #own: OwnClient | undefined;

  /** @throws ConfigurationError when an option is wrong, or there is neither a client nor a URL, or both */
  constructor(options: Pick<RedisStreamsOptions, 'destination'> & Partial<RedisStreamsOptions>) {
    this.#options = redisStreamsOptions.resolve(options, 'RedisStreamsAdapter');
    const { client, url, maxLength } = this.#options;
    this.#records = new RecordWriter(this.name, this.#options, { prefix: 'ce_', ascii: false });
    this.#trim = maxLength === 0 ? [] : ['MAXLEN', '~', String(maxLength)];
    checkSource('RedisStreamsAdapter', this.#options, 'redis://127.0.0.1:6379');
    if (url !== undefined) checkUrl('RedisStreamsAdapter', url, ['redis:', 'rediss:']);
    // A client of ioredis has a sendCommand too, which takes something else.
    if (client !== undefined) {
      this.#send =
        'call' in client
          ? ([name, ...args]) => client.call(name as string, ...args)
          : (command) => client.sendCommand(command);
    }
  }

  /** Connects, when there is no client. @throws BrokerConnectionError when that takes longer than `timeoutMs` */
  async onModuleInit(): Promise<void> {
    const { url, timeoutMs, connection } = this.#options;
    if (url === undefined) return;
    const { createClient } = await import('redis');
    const { host } = new URL(url);
    const silenceMs = timeoutMs === 0 ? 5_000 : timeoutMs;
    const client = createClient({
      pingInterval: Math.ceil(silenceMs / 3),
      ...connection,
      url,
      // A timer for each command would cost more than the command.
      commandOptions: { timeout: 0 },
      disableOfflineQueue: true,
      socket: {
        socketTimeout: silenceMs,
        reconnectStrategy,
        ...(connection?.['socket'] as object),
      },
    }) as unknown as OwnClient;
    let last: unknown;
    // Without a listener Node ends the process; whoever sends hears of it.
    client.on('error', (error) => (last = error));
    try {
      await inTime(client.connect(), timeoutMs, `Redis at ${host} has not been connected to`);
    } catch (error) {
      client.destroy();
      throw new BrokerConnectionError(
        `RedisStreamsAdapter cannot connect to ${host}: ${messageOf(last ?? error)}. Is Redis running there, and the url right?`,
        { cause: last ?? error },
      );
    }
    this.#own = client;
    this.#send = (command) => client.sendCommand(command);
  }

  async onApplicationShutdown(): Promise<void> {
    const { timeoutMs } = this.#options;
    const client = this.#own;
    if (client === undefined) return;
    this.#own = undefined;
    if (!(await closesInTime(client.close(), timeoutMs))) client.destroy();
  }

  interested(emission: Emission): boolean {
    return this.#records.hasPlaceFor(emission);
  }

  async deliver(batch: readonly Emission[]): Promise<void> {
    const { records, undelivered } = this.#records.write(batch);
    const { timeoutMs } = this.#options;
    const limit = { timeoutMs, late: 'Redis has not answered' };
    // All of them are written before any is answered: one round trip.
    await sendEach(records, undelivered, limit, (record) => this.#append(record));
    undelivered.throwFor(batch);
  }

  #append({ destination, key, headers, body }: BrokerRecord): Promise<unknown> {
    const command: RedisArgument[] = ['XADD', destination, ...this.#trim, '*'];
    for (const name in headers) command.push(name, headers[name]!);
    if (key !== undefined) command.push('key', key);
    command.push('body', typeof body === 'string' ? body : Buffer.from(body));
    if (this.#send === undefined)
      throw new BrokerConnectionError('RedisStreamsAdapter is not connected yet.');
    return this.#send(command);
  }
}

/** That of node-redis gives up for good when a connection has died without a word. */
function reconnectStrategy(retries: number): number {
  return Math.min(50 * 2 ** retries, 1_000) * (0.8 + Math.random() * 0.4);
}
