import { setTimeout as pause } from 'node:timers/promises';
import { Agent, request } from 'undici';
import type { Emission } from '../../emission/emission.js';
import { EmissionsError } from '../../emission/emissions.error.js';
import { BrokerConnectionError } from '../broker.errors.js';
import type { WrittenEmission } from '../record-format.js';
import { AddressGuard } from './address-guard.js';
import { keyOf, nameOf, restOf, urlOf } from './endpoint.js';
import { Rests } from './rests.js';
import { Signer } from './signature.js';
import type { WebhookEndpoint, WebhookOptions } from './webhook.options.js';

/** Posts one emission to one endpoint, signed, to no address that is forbidden, and not before the endpoint has rested. */
export class WebhookClient {
  readonly #options: WebhookOptions;
  readonly #agent: Agent;
  readonly #signer = new Signer();
  readonly #rests = new Rests();
  /** Where endpoints are, for as long as they are the same objects. */
  readonly #urls = new WeakMap<WebhookEndpoint, URL>();

  constructor(options: WebhookOptions) {
    this.#options = options;
    const { allow, connections, timeoutMs } = options;
    this.#agent = new Agent({ connections, connect: new AddressGuard(allow).connector(timeoutMs) });
  }

  /** Resolves when the endpoint may be asked: after what it said in `Retry-After`. */
  async rested(endpoint: WebhookEndpoint, signal: AbortSignal): Promise<void> {
    const restMs = this.#rests.leftOf(keyOf(endpoint));
    if (restMs > 0) await pause(restMs, undefined, { signal });
  }

  /**
   * Gives the status that was answered.
   *
   * @throws BrokerConnectionError when nothing was
   */
  async post(
    endpoint: WebhookEndpoint,
    emission: Emission,
    written: WrittenEmission,
    signal: AbortSignal,
  ): Promise<number> {
    try {
      return await this.#request(endpoint, emission, written, signal);
    } catch (error) {
      throw this.#reasonOf(endpoint, error);
    }
  }

  /** Cuts off what is under way. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #request(
    endpoint: WebhookEndpoint,
    emission: Emission,
    { headers: own, body: text }: WrittenEmission,
    signal: AbortSignal,
  ): Promise<number> {
    const timestamp = Math.floor(Date.now() / 1_000);
    const { statusCode, headers, body } = await request(this.#urlOf(endpoint), {
      dispatcher: this.#agent,
      method: 'POST',
      headers: {
        ...own,
        ...inLowerCase(endpoint.headers),
        'webhook-id': emission.id,
        'webhook-timestamp': String(timestamp),
        'webhook-signature': this.#signer.sign(endpoint.secrets, emission.id, timestamp, text),
      },
      body: text,
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
}

/** As ours are written: what is there in capitals too would be sent twice. */
function inLowerCase(headers: WebhookEndpoint['headers'] = {}): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, text]) => [name.toLowerCase(), text]),
  );
}
