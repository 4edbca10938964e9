import type { Emission } from '../../emission/emission.js';
import type { EmissionPattern } from '../../emission/pattern.js';
import {
  callback,
  defineOptions,
  flag,
  integer,
  milliseconds,
  value,
  type OptionSet,
} from '../../emission/option-set.js';
import type { RecordFormat } from '../record-format.js';
import { recordRules } from '../broker-record.js';

/** Who is told. */
export interface WebhookEndpoint {
  /** Where to: `https://customer.example/hooks`. */
  readonly url: string;
  /** `whsec_` and base64, as Standard Webhooks has it. Several while one is replaced: each signs, and the receiver knows one. */
  readonly secrets: readonly string[];
  /** Tells it from others with the same URL, and names it in errors and outcomes; default: the origin and path of its URL. */
  readonly id?: string;
  /** Sent along. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** How one request ended. */
export interface WebhookOutcome {
  /** The endpoint's id. */
  readonly endpoint: string;
  readonly emission: Emission;
  readonly durationMs: number;
  /** What was answered; absent when nothing was. */
  readonly status?: number;
  /** Why it failed; absent when it was taken. */
  readonly error?: Error;
}

/** Who is told what, and how patiently. */
export interface WebhookOptions {
  /**
   * Who is told: a list, or a function that finds the endpoints of an emission, of its tenant for example. None is no failure; one
   * that is named twice is told once. Required.
   */
  endpoints:
    | readonly WebhookEndpoint[]
    | ((emission: Emission) => readonly WebhookEndpoint[] | Promise<readonly WebhookEndpoint[]>);
  /**
   * Which emissions are sent: `'order.*'`; nothing else is queued, or stored, for the adapter.
   * @default '**'
   */
  events: EmissionPattern;
  /**
   * What is sent: a CloudEvent, in `'structured'` or `'binary'` mode, or what a function gives: `{ body, contentType?, headers? }`.
   * The signature covers the body only.
   * @default 'structured'
   */
  format: RecordFormat;
  /**
   * How many requests one call has under way to one endpoint. With more than 1, only emissions of a key keep their order.
   * @default 1
   */
  concurrency: number;
  /**
   * How many connections are kept to one origin.
   * @default 50
   */
  connections: number;
  /**
   * How long one request may take, in milliseconds: to connect, to send and to be answered, all together.
   * @default 15000
   */
  timeoutMs: number;
  /**
   * For how long an answer of 429 or 503 may ask for a pause (`Retry-After`), in milliseconds; the next request waits for it.
   * @default 60000
   */
  maxRetryAfterMs: number;
  /**
   * The largest body, in bytes; what is larger fails alone.
   * @default 262144
   */
  maxPayloadBytes: number;
  /**
   * Networks that are not public and may be sent to all the same, `'10.1.2.0/24'`. Without them, this machine, private networks
   * and clouds' metadata are out of reach, also by a name that means one of them.
   */
  allow: readonly string[];
  /**
   * Whether endpoints may be `http:` as well as `https:`.
   * @default false
   */
  allowHttp: boolean;
  /** Called when a request has ended: to count, to show customers, to switch off an endpoint that answers 410. */
  onOutcome?: (outcome: WebhookOutcome) => void;
}

/** The rules of {@link WebhookOptions}. */
export const webhookOptions: OptionSet<WebhookOptions> = defineOptions<WebhookOptions>({
  endpoints: value(
    'a list of { url, secrets }, or a function that gives one',
    (given) => Array.isArray(given) || typeof given === 'function',
  ),
  events: value<EmissionPattern>(
    "a pattern such as 'order.*', or an array of these",
    (given) =>
      typeof given === 'string' || typeof given === 'object' || typeof given === 'function',
    '**',
  ),
  format: { ...recordRules.format, default: 'structured' },
  concurrency: integer({ min: 1, default: 1 }),
  connections: integer({ min: 1, default: 50 }),
  timeoutMs: milliseconds({ min: 1, default: 15_000 }),
  maxRetryAfterMs: milliseconds({ default: 60_000 }),
  maxPayloadBytes: integer({ min: 1, default: 262_144 }),
  allow: value<readonly string[]>('a list of networks', (given) => Array.isArray(given), []),
  allowHttp: flag(false),
  onOutcome: callback(),
});
