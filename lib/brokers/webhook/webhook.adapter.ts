import { Logger, type OnApplicationShutdown } from '@nestjs/common';
import type { DeliveryContext, EmissionAdapter } from '../../emission/adapter.js';
import type { ConsumerSettings } from '../../emission/consumer.options.js';
import type { Emission } from '../../emission/emission.js';
import { ConfigurationError } from '../../emission/emission.errors.js';
import { Pattern } from '../../emission/pattern.js';
import { asError, BrokerRefusedError, RecordError } from '../broker.errors.js';
import { writeEmission, type WrittenEmission } from '../record-format.js';
import { Undelivered } from '../undelivered.js';
import { failureOf, keyOf, nameOf, urlOf } from './endpoint.js';
import { Patience } from './patience.js';
import { WebhookClient } from './webhook.client.js';
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
  readonly #client: WebhookClient;
  readonly #events: Pattern;
  /** By emission, the endpoints that have taken it: lives as long as the emission does. */
  readonly #taken = new WeakMap<Emission, Set<string>>();

  /** @throws ConfigurationError when an option is wrong, PatternError when `events` is no pattern */
  constructor(options: Pick<WebhookOptions, 'endpoints'> & Partial<WebhookOptions>) {
    this.#options = webhookOptions.resolve(options, 'WebhookAdapter');
    const { endpoints, events, allowHttp } = this.#options;
    this.#events = new Pattern(events);
    if (endpoints === undefined) {
      throw new ConfigurationError(
        `WebhookAdapter: endpoints is required. Write endpoints: [{ url: 'https://…', secrets: ['whsec_…'] }], or (emission) => ….`,
      );
    }
    if (Array.isArray(endpoints)) for (const endpoint of endpoints) urlOf(endpoint, allowHttp);
    this.#client = new WebhookClient(this.#options);
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
    await this.#client.close();
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
    const start = performance.now();
    let status: number | undefined;
    let error: Error | undefined;
    try {
      await this.#client.rested(endpoint, signal);
      status = await this.#client.post(endpoint, emission, owed.written, patience.begin());
      error = failureOf(endpoint, status);
    } catch (thrown) {
      error = asError(signal.aborted ? signal.reason : thrown);
    }
    if (error === undefined) {
      const taken = this.#taken.get(emission);
      if (taken === undefined) this.#taken.set(emission, new Set([keyOf(endpoint)]));
      else taken.add(keyOf(endpoint));
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

  #report(outcome: WebhookOutcome): void {
    try {
      this.#options.onOutcome?.(outcome);
    } catch (error) {
      new Logger('Emissions').error('onOutcome of a WebhookAdapter failed.', asError(error).stack);
    }
  }
}
