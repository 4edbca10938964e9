import { Logger, type OnApplicationShutdown } from '@nestjs/common';
import { setTimeout as pause } from 'node:timers/promises';
import { Agent, request } from 'undici';
import type { DeliveryContext, EmissionAdapter } from '../../emission/adapter.js';
import type { ConsumerSettings } from '../../emission/consumer.options.js';
import type { Emission } from '../../emission/emission.js';
import { ConfigurationError } from '../../emission/emission.errors.js';
import { EmissionsError } from '../../emission/emissions.error.js';
import { Pattern } from '../../emission/pattern.js';
import {
  asError,
  BrokerConnectionError,
  BrokerRefusedError,
  RecordError,
} from '../broker.errors.js';
import { writeEmission, type WrittenEmission } from '../record-format.js';
import { Undelivered } from '../undelivered.js';
import { AddressGuard } from './address-guard.js';
import { failureOf, keyOf, nameOf, restOf, urlOf } from './endpoint.js';
import { Patience } from './patience.js';
import { Rests } from './rests.js';
import { Signer } from './signature.js';
import {
  webhookOptions,
  type WebhookEndpoint,
  type WebhookOptions,
  type WebhookOutcome,
} from './webhook.options.js';

const STYLE = { prefix: 'ce-', ascii: true } as const;

/** One request that is owed. */
interface Owed {
  readonly emission: Emission;
  readonly written: WrittenEmission;
  readonly endpoint: WebhookEndpoint;
}

/**
 * Posts emissions to endpoints, signed as Standard Webhooks has it: `webhook-id` is the emission's id, the same in every retry.
 *
 * Delivered is what every endpoint has answered with 2xx. At least once: an answer that is lost is asked for again. An endpoint
 * that cannot be reached, or answers 429, 502, 503 or 504, gets nothing more in that call; one that refuses an emission gets
 * nothing more of its key: order is kept. The other endpoints are done, and are not told again when the consumer tries that
 * emission anew (in this process). While it is tried anew it occupies a call of the consumer: give that `concurrency`, or each
 * endpoint a consumer of its own, with {@link WebhookAdapter.each}.
 */
export class WebhookAdapter implements EmissionAdapter, OnApplicationShutdown {
  readonly name = 'webhook';
  readonly #options: WebhookOptions;
  readonly #agent: Agent;
  readonly #signer = new Signer();
  readonly #events: Pattern;
  /** By emission, the endpoints that have taken it: lives as long as the emission does. */
  readonly #taken = new WeakMap<Emission, Set<string>>();
  /** Where endpoints are, for as long as they are the same objects. */
  readonly #urls = new WeakMap<WebhookEndpoint, URL>();
  readonly #rests = new Rests();

  /** @throws ConfigurationError when an option is wrong, PatternError when `events` is no pattern */
  constructor(options: Pick<WebhookOptions, 'endpoints'> & Partial<WebhookOptions>) {
    this.#options = webhookOptions.resolve(options, 'WebhookAdapter');
    const { endpoints, events, allow, allowHttp, connections, timeoutMs } = this.#options;
    this.#events = new Pattern(events);
    if (endpoints === undefined) {
      throw new ConfigurationError(
        `WebhookAdapter: endpoints is required. Write endpoints: [{ url: 'https://…', secrets: ['whsec_…'] }], or (emission) => ….`,
      );
    }
    if (Array.isArray(endpoints)) for (const endpoint of endpoints) urlOf(endpoint, allowHttp);
    this.#agent = new Agent({ connections, connect: new AddressGuard(allow).connector(timeoutMs) });
  }

  /**
   * One registration for each endpoint: each has a queue, an order and retries of its own, so that none waits for another one.
   *
   * `forRoot({ adapters: [...WebhookAdapter.each(endpoints, {}, { retry: { attempts: 8 } })] })`
   */
  static each(
    endpoints: readonly WebhookEndpoint[],
    options: Partial<Omit<WebhookOptions, 'endpoints'>> = {},
    consumer: ConsumerSettings = {},
  ): { name: string; consumer: ConsumerSettings; useFactory: () => WebhookAdapter }[] {
    return endpoints.map((endpoint) => ({
      name: `webhook ${nameOf(endpoint)}`,
      consumer,
      useFactory: () => new WebhookAdapter({ ...options, endpoints: [endpoint] }),
    }));
  }

  async onApplicationShutdown(): Promise<void> {
    // Nothing is under way any more but what shutdown has given up.
    await this.#agent.destroy();
  }

  interested({ name }: Emission): boolean {
    return this.#events.matches(name);
  }

  async deliver(batch: readonly Emission[], { signal }: DeliveryContext): Promise<void> {
    const undelivered = new Undelivered();
    const owed = (await Promise.all(batch.map((each) => this.#owedFor(each, undelivered)))).flat();
    const byEndpoint = Map.groupBy(owed, ({ endpoint }) => keyOf(endpoint));
    await Promise.all(
      Array.from(byEndpoint.values(), (all) => this.#tell(all, undelivered, signal)),
    );
    undelivered.throwFor(batch);
  }

  async #owedFor(emission: Emission, undelivered: Undelivered): Promise<Owed[]> {
    const { endpoints, format, maxPayloadBytes } = this.#options;
    try {
      const all = typeof endpoints === 'function' ? await endpoints(emission) : endpoints;
      const taken = this.#taken.get(emission);
      const each = new Map(all.map((endpoint) => [keyOf(endpoint), endpoint]));
      const left = [...each].flatMap(([key, endpoint]) => (taken?.has(key) ? [] : [endpoint]));
      if (left.length === 0) return [];
      const written = this.#write(emission, format);
      const size = Buffer.byteLength(written.body);
      if (size > maxPayloadBytes) {
        throw new BrokerRefusedError(
          `A body of ${size} bytes is more than the ${maxPayloadBytes} of maxPayloadBytes. Send a reference, or raise it.`,
        );
      }
      return left.map((endpoint) => ({ emission, endpoint, written }));
    } catch (error) {
      undelivered.add(emission, error);
      return [];
    }
  }

  #write(emission: Emission, format: WebhookOptions['format']): WrittenEmission {
    try {
      return writeEmission(emission, format, STYLE);
    } catch (error) {
      throw new RecordError(emission, error);
    }
  }

  /** One endpoint's, in order; with concurrency, only those of one key behind one another. */
  async #tell(all: Owed[], undelivered: Undelivered, signal: AbortSignal): Promise<void> {
    const { concurrency } = this.#options;
    const lanes =
      concurrency === 1
        ? [all]
        : [...Map.groupBy(all, ({ emission }) => emission.key ?? emission).values()];
    const failedKeys = new Map<string | undefined, Error>();
    let gone: Error | undefined;
    const work = async (): Promise<void> => {
      const patience = new Patience(signal, this.#options.timeoutMs);
      for (let lane = lanes.shift(); lane !== undefined; lane = lanes.shift()) {
        for (const owed of lane) {
          const { emission } = owed;
          const before = gone ?? (emission.key !== undefined && failedKeys.get(emission.key));
          // oxlint-disable-next-line no-await-in-loop -- one behind another
          const error = before || (await this.#post(owed, signal, patience));
          if (error === undefined) continue;
          undelivered.add(emission, error);
          failedKeys.set(emission.key, error);
          if (!(error instanceof BrokerRefusedError)) gone = error;
        }
      }
      patience.end();
    };
    await Promise.all(Array.from({ length: concurrency }, work));
  }

  /** Gives the failure, if there is one. */
  async #post(owed: Owed, signal: AbortSignal, patience: Patience): Promise<Error | undefined> {
    const { emission, endpoint } = owed;
    const key = keyOf(endpoint);
    const start = performance.now();
    let status: number | undefined;
    let error: Error | undefined;
    try {
      const restMs = this.#rests.leftOf(key);
      if (restMs > 0) await pause(restMs, undefined, { signal });
      status = await this.#request(owed, patience.begin());
      error = failureOf(endpoint, status);
    } catch (thrown) {
      error = signal.aborted ? asError(signal.reason) : this.#reasonOf(endpoint, thrown);
    }
    if (error === undefined) {
      const taken = this.#taken.get(emission);
      if (taken === undefined) this.#taken.set(emission, new Set([key]));
      else taken.add(key);
    }
    if (this.#options.onOutcome === undefined) return error;
    const durationMs = performance.now() - start;
    this.#report({
      ...{ endpoint: nameOf(endpoint), emission, durationMs },
      ...(status !== undefined && { status }),
      ...(error !== undefined && { error }),
    });
    return error;
  }

  async #request({ emission, endpoint, written }: Owed, signal: AbortSignal): Promise<number> {
    const timestamp = Math.floor(Date.now() / 1_000);
    const { statusCode, headers, body } = await request(this.#urlOf(endpoint), {
      dispatcher: this.#agent,
      method: 'POST',
      headers: {
        ...written.headers,
        ...inLowerCase(endpoint.headers),
        'webhook-id': emission.id,
        'webhook-timestamp': String(timestamp),
        'webhook-signature': this.#signer.sign(
          ...([endpoint.secrets, emission.id, timestamp, written.body] as const),
        ),
      },
      body: written.body,
      signal,
    });
    // What counts is the status: an answer that goes on and on, or breaks off, is one.
    await body.dump().catch(() => {});
    const restMs = restOf(statusCode, headers['retry-after']);
    this.#rests.set(keyOf(endpoint), Math.min(restMs, this.#options.maxRetryAfterMs));
    return statusCode;
  }

  #urlOf(endpoint: WebhookEndpoint): URL {
    let url = this.#urls.get(endpoint);
    if (url === undefined) {
      url = urlOf(endpoint, this.#options.allowHttp);
      this.#urls.set(endpoint, url);
    }
    return url;
  }

  /** Says who it was, and what, in words of ours. */
  #reasonOf(endpoint: WebhookEndpoint, thrown: unknown): Error {
    if (thrown instanceof EmissionsError) return thrown;
    const { name, message } = Object(thrown) as Error;
    const what =
      name === 'TimeoutError'
        ? `has not answered within ${this.#options.timeoutMs} ms`
        : `cannot be reached: ${message}`;
    return new BrokerConnectionError(`The webhook ${nameOf(endpoint)} ${what}.`, { cause: thrown });
  }

  #report(outcome: WebhookOutcome): void {
    try {
      this.#options.onOutcome?.(outcome);
    } catch (error) {
      new Logger('Emissions').error('onOutcome of a WebhookAdapter failed.', asError(error).stack);
    }
  }
}

/** As ours are written: what is there in capitals too would be sent twice. */
function inLowerCase(headers: WebhookEndpoint['headers'] = {}): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, text]) => [name.toLowerCase(), text]),
  );
}
