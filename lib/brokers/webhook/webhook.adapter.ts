import { Logger, type OnApplicationShutdown } from '@nestjs/common';
import { setTimeout as pause } from 'node:timers/promises';
import { Agent, request } from 'undici';
import type { DeliveryContext, EmissionAdapter } from '../../emission/adapter.js';
import type { ConsumerSettings } from '../../emission/consumer.options.js';
import type { Emission } from '../../emission/emission.js';
import { ConfigurationError } from '../../emission/emission.errors.js';
import {
  asError,
  BrokerConnectionError,
  BrokerRefusedError,
  RecordError,
} from '../broker.errors.js';
import { writeEmission, type WrittenEmission } from '../record-format.js';
import { Undelivered } from '../undelivered.js';
import { AddressGuard } from './address-guard.js';
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
  /** By emission, the endpoints that have taken it: lives as long as the emission does. */
  readonly #taken = new WeakMap<Emission, Set<string>>();
  /** By endpoint, when it may be asked again. */
  readonly #resting = new Map<string, number>();

  /** @throws ConfigurationError when an option is wrong */
  constructor(options: Pick<WebhookOptions, 'endpoints'> & Partial<WebhookOptions>) {
    this.#options = webhookOptions.resolve(options, 'WebhookAdapter');
    const { endpoints, allow, connections, timeoutMs } = this.#options;
    if (endpoints === undefined) {
      throw new ConfigurationError(
        `WebhookAdapter: endpoints is required. Write endpoints: [{ url: 'https://…', secrets: ['whsec_…'] }], or (emission) => ….`,
      );
    }
    if (Array.isArray(endpoints)) for (const endpoint of endpoints) this.#urlOf(endpoint);
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
      name: `webhook ${idOf(endpoint)}`,
      consumer,
      useFactory: () => new WebhookAdapter({ ...options, endpoints: [endpoint] }),
    }));
  }

  async onApplicationShutdown(): Promise<void> {
    // Nothing is under way any more but what shutdown has given up.
    await this.#agent.destroy();
  }

  async deliver(batch: readonly Emission[], { signal }: DeliveryContext): Promise<void> {
    const undelivered = new Undelivered();
    const owed = (await Promise.all(batch.map((each) => this.#owedFor(each, undelivered)))).flat();
    const byEndpoint = Map.groupBy(owed, ({ endpoint }) => idOf(endpoint));
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
      const left = all.filter((endpoint) => taken?.has(idOf(endpoint)) !== true);
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
      for (let lane = lanes.shift(); lane !== undefined; lane = lanes.shift()) {
        for (const owed of lane) {
          const { emission } = owed;
          const before = gone ?? (emission.key !== undefined && failedKeys.get(emission.key));
          // oxlint-disable-next-line no-await-in-loop -- one behind another
          const error = before || (await this.#post(owed, signal));
          if (error === undefined) continue;
          undelivered.add(emission, error);
          failedKeys.set(emission.key, error);
          if (!(error instanceof BrokerRefusedError)) gone = error;
        }
      }
    };
    await Promise.all(Array.from({ length: concurrency }, work));
  }

  /** Gives the failure, if there is one. */
  async #post(owed: Owed, signal: AbortSignal): Promise<Error | undefined> {
    const { emission, endpoint } = owed;
    const id = idOf(endpoint);
    const start = performance.now();
    let status: number | undefined;
    let error: Error | undefined;
    try {
      await pause(Math.max(0, (this.#resting.get(id) ?? 0) - Date.now()), undefined, { signal });
      status = await this.#request(owed, signal);
      error = failureOf(id, status);
    } catch (thrown) {
      error = asError(thrown);
    }
    if (error === undefined) {
      const taken = this.#taken.get(emission);
      if (taken === undefined) this.#taken.set(emission, new Set([id]));
      else taken.add(id);
    }
    const durationMs = performance.now() - start;
    this.#report({
      ...{ endpoint: id, emission, durationMs },
      ...(status !== undefined && { status }),
      ...(error !== undefined && { error }),
    });
    return error;
  }

  async #request({ emission, endpoint, written }: Owed, signal: AbortSignal): Promise<number> {
    const { timeoutMs, maxRetryAfterMs } = this.#options;
    const timestamp = Math.floor(Date.now() / 1_000);
    const { statusCode, headers, body } = await request(this.#urlOf(endpoint), {
      dispatcher: this.#agent,
      method: 'POST',
      headers: {
        ...written.headers,
        ...endpoint.headers,
        'webhook-id': emission.id,
        'webhook-timestamp': String(timestamp),
        'webhook-signature': this.#signer.sign(
          ...([endpoint.secrets, emission.id, timestamp, written.body] as const),
        ),
      },
      body: written.body,
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    });
    await body.dump();
    const id = idOf(endpoint);
    const restMs =
      statusCode === 429 || statusCode === 503 ? retryAfter(headers['retry-after']) : 0;
    if (restMs > 0) this.#resting.set(id, Date.now() + Math.min(restMs, maxRetryAfterMs));
    else this.#resting.delete(id);
    return statusCode;
  }

  #report(outcome: WebhookOutcome): void {
    try {
      this.#options.onOutcome?.(outcome);
    } catch (error) {
      new Logger('Emissions').error('onOutcome of a WebhookAdapter failed.', asError(error).stack);
    }
  }

  #urlOf({ url, secrets }: WebhookEndpoint): URL {
    const parsed = URL.parse(url);
    const isHttp = parsed?.protocol === 'http:' && this.#options.allowHttp;
    if (parsed === null || (parsed.protocol !== 'https:' && !isHttp)) {
      throw new ConfigurationError(
        `An endpoint's url is 'https://…'${this.#options.allowHttp ? " or 'http://…'" : ' (or http with allowHttp: true)'}, but ${parsed === null ? 'this is none' : `got ${parsed.protocol}`}.`,
      );
    }
    if (!Array.isArray(secrets) || secrets.length === 0) {
      throw new ConfigurationError(
        `The endpoint ${idOf({ url, secrets })} has no secrets: ['whsec_…'].`,
      );
    }
    return parsed;
  }
}

function idOf({ id, url }: WebhookEndpoint): string {
  if (id !== undefined) return id;
  const parsed = URL.parse(url);
  return parsed === null ? 'without a url' : parsed.origin + parsed.pathname;
}

/** Nobody there to take anything, says the server or whoever stands before it. */
const UNAVAILABLE = [429, 502, 503, 504];

function failureOf(id: string, status: number): Error | undefined {
  if (status >= 200 && status < 300) return undefined;
  const why = status >= 300 && status < 400 ? '; redirects are not followed' : '';
  const message = `The webhook ${id} answered ${status}${why}.`;
  return UNAVAILABLE.includes(status)
    ? new BrokerConnectionError(message)
    : new BrokerRefusedError(message);
}

/** Seconds, or a date; in milliseconds from now. */
function retryAfter(header: string | string[] | undefined): number {
  if (typeof header !== 'string') return 0;
  const ms = /^\d+$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - Date.now();
  return Number.isNaN(ms) ? 0 : ms;
}
