import { Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import {
  ClientGrpcProxy,
  ClientKafka,
  ClientProxyFactory,
  ClientRedis,
  ClientRMQ,
  type ClientProxy,
} from '@nestjs/microservices';
import { lastValueFrom, type Observable } from 'rxjs';
import type { EmissionAdapter } from '../../emission/adapter.js';
import { toCloudEvent } from '../../emission/cloud-event.js';
import type { Emission } from '../../emission/emission.js';
import { ConfigurationError } from '../../emission/emission.errors.js';
import { BrokerConnectionError, messageOf, RecordError } from '../broker.errors.js';
import { closesInTime, inTime } from '../in-time.js';
import { Router } from '../router.js';
import { sendEach } from '../send-each.js';
import { Undelivered } from '../undelivered.js';
import { cutOff, watchful } from './connections.js';
import {
  GUARANTEES,
  microservicesOptions,
  type MicroservicesOptions,
  type TransportGuarantee,
} from './microservices.options.js';

/** One event. */
interface Packet {
  readonly emission: Emission;
  readonly pattern: string;
  readonly data: unknown;
}

/**
 * Emits to any transport of `@nestjs/microservices`, so that `@EventPattern(…)` methods elsewhere get it; `fromCloudEvent` makes an
 * emission of what they get.
 *
 * What it promises is what the transport promises, see {@link guarantee}: RabbitMQ (with `persistent: true`) and Kafka answer
 * when they have it; Redis when it has told whoever listens; TCP and NATS never, and lose what is under way without a word.
 * Batches exist for Kafka only.
 */
export class MicroservicesAdapter implements EmissionAdapter, OnModuleInit, OnApplicationShutdown {
  readonly name = 'microservices';
  /** What the transport promises. */
  readonly guarantee: TransportGuarantee;
  readonly #options: MicroservicesOptions;
  readonly #router: Router;
  readonly #client: ClientProxy;
  readonly #ended = new AbortController();

  /** @throws ConfigurationError when an option is wrong, or the transport promises less than is required */
  constructor(options: Pick<MicroservicesOptions, 'destination'> & Partial<MicroservicesOptions>) {
    this.#options = microservicesOptions.resolve(options, 'MicroservicesAdapter');
    this.#router = new Router(this.name, this.#options);
    const { client, transport, requires, timeoutMs } = this.#options;
    if ((client === undefined) === (transport === undefined)) {
      throw new ConfigurationError(
        `MicroservicesAdapter takes either a client or a transport, but got ${client ? 'both' : 'neither'}. Write transport: { transport: Transport.RMQ, options: { … } }.`,
      );
    }
    this.#client =
      client ?? ClientProxyFactory.create(watchful(transport!, timeoutMs, this.#ended.signal));
    if (this.#client instanceof ClientGrpcProxy) {
      throw new ConfigurationError(
        'MicroservicesAdapter cannot emit through gRPC, which has no events.',
      );
    }
    this.guarantee = this.#options.guarantee ?? guaranteeOf(this.#client);
    const type = this.#client.constructor.name;
    if (requires !== undefined && rank(this.guarantee) < rank(requires)) {
      throw new ConfigurationError(
        `MicroservicesAdapter requires '${requires}', but ${type} promises '${this.guarantee}' only. ${mending(this.#client)}`,
      );
    }
    if (requires === undefined && this.guarantee === 'fire-and-forget') {
      new Logger('Emissions').warn(
        `The microservices adapter emits through ${type}, which promises nothing: what is under way when a connection breaks is lost. ` +
          `${mending(this.#client)} If this is meant, write requires: 'fire-and-forget'.`,
      );
    }
  }

  /** Connects a client of its own. @throws BrokerConnectionError when that fails, or takes longer than `timeoutMs` */
  async onModuleInit(): Promise<void> {
    const { transport, timeoutMs } = this.#options;
    if (transport === undefined) return;
    try {
      await inTime(this.#client.connect(), timeoutMs, 'The server has not been connected to');
    } catch (error) {
      await this.#close();
      throw new BrokerConnectionError(
        `MicroservicesAdapter cannot connect ${this.#client.constructor.name}: ${messageOf(error)}. Is the server running there?`,
        { cause: error },
      );
    }
  }

  async onApplicationShutdown(): Promise<void> {
    if (this.#options.transport !== undefined) await this.#close();
  }

  interested(emission: Emission): boolean {
    return this.#router.placeFor(emission) !== undefined;
  }

  async deliver(batch: readonly Emission[]): Promise<void> {
    const undelivered = new Undelivered();
    const packets = batch.flatMap((emission) => this.#packetOf(emission, undelivered));
    const limit = { timeoutMs: this.#options.timeoutMs, late: 'The transport has not answered' };
    await sendEach(packets, undelivered, limit, this.#senderOf(packets));
    undelivered.throwFor(batch);
  }

  async #close(): Promise<void> {
    const closing = (async (): Promise<void> => void (await this.#client.close()))();
    if (!(await closesInTime(closing, this.#options.timeoutMs))) cutOff(this.#client);
    this.#ended.abort();
  }

  #packetOf(emission: Emission, undelivered: Undelivered): Packet[] {
    try {
      const pattern = this.#router.placeFor(emission);
      if (pattern === undefined) return [];
      const data = (this.#options.data ?? toCloudEvent)(emission);
      const isOurs = this.#options.data === undefined && this.#client instanceof ClientKafka;
      return [
        {
          emission,
          pattern,
          data: isOurs ? { key: emission.key ?? null, value: JSON.stringify(data) } : data,
        },
      ];
    } catch (error) {
      undelivered.add(emission, new RecordError(emission, error));
      return [];
    }
  }

  /** Sends all at once, in order: transports write them as they come, and Kafka takes those of a pattern together. */
  #senderOf(packets: readonly Packet[]): (packet: Packet) => Promise<unknown> {
    const client = this.#client;
    // It is sent at once, and who does not listen at once misses the end of it.
    const ended = (sent: Observable<unknown>): Promise<unknown> =>
      lastValueFrom(sent, { defaultValue: undefined });
    if (!(client instanceof ClientKafka)) {
      return ({ pattern, data }) => ended(client.emit(pattern, data));
    }
    const together = new Map<string, Promise<unknown>>();
    return ({ pattern }) => {
      const messages = (): unknown[] =>
        packets.filter((packet) => packet.pattern === pattern).map(({ data }) => data);
      const sent =
        together.get(pattern) ?? ended(client.emitBatch(pattern, { messages: messages() }));
      together.set(pattern, sent);
      return sent;
    };
  }
}

function guaranteeOf(client: ClientProxy): TransportGuarantee {
  const { options } = client as unknown as { options?: Record<string, unknown> };
  if (client instanceof ClientKafka) {
    const acks = (options?.['send'] as { acks?: number } | undefined)?.acks;
    return acks === 0 ? 'fire-and-forget' : 'acknowledged';
  }
  if (client instanceof ClientRMQ) {
    return options?.['persistent'] === true ? 'acknowledged' : 'accepted';
  }
  return client instanceof ClientRedis ? 'accepted' : 'fire-and-forget';
}

function mending(client: ClientProxy): string {
  return client instanceof ClientRMQ
    ? 'Give its options persistent: true, and a durable queue.'
    : 'Take RabbitMQ or Kafka, or one of the adapters of nestjs-emissions/redis, /rabbitmq, /nats and /kafka.';
}

function rank(guarantee: TransportGuarantee): number {
  return GUARANTEES.indexOf(guarantee);
}
