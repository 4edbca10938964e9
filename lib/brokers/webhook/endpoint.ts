import { ConfigurationError } from '../../emission/emission.errors.js';
import { BrokerConnectionError, BrokerRefusedError } from '../broker.errors.js';
import type { WebhookEndpoint } from './webhook.options.js';

/** What an endpoint is known by: two with one URL are two when they have ids. */
export function keyOf({ id, url }: WebhookEndpoint): string {
  return id ?? url;
}

/** The same for people, without what may be secret in a URL. */
export function nameOf({ id, url }: WebhookEndpoint): string {
  if (id !== undefined) return id;
  const parsed = URL.parse(url);
  return parsed === null ? 'without a url' : parsed.origin + parsed.pathname;
}

/** Where it is. @throws ConfigurationError when it is nowhere, or has no secret */
export function urlOf(endpoint: WebhookEndpoint, allowHttp: boolean): URL {
  const { url, secrets } = endpoint;
  const parsed = URL.parse(url);
  if (parsed === null || !['https:', ...(allowHttp ? ['http:'] : [])].includes(parsed.protocol)) {
    throw new ConfigurationError(
      `An endpoint's url is 'https://…'${allowHttp ? " or 'http://…'" : ' (or http with allowHttp: true)'}, but ${parsed === null ? 'this is none' : `got ${parsed.protocol}`}.`,
    );
  }
  if (!Array.isArray(secrets) || secrets.length === 0) {
    throw new ConfigurationError(`The endpoint ${nameOf(endpoint)} has no secrets: ['whsec_…'].`);
  }
  return parsed;
}

/** Nobody there to take anything, says the server or whoever stands before it. */
const UNAVAILABLE = [429, 502, 503, 504];

/** What an answer says went wrong, if anything. */
export function failureOf(endpoint: WebhookEndpoint, status: number): Error | undefined {
  if (status >= 200 && status < 300) return undefined;
  const why = status >= 300 && status < 400 ? '; redirects are not followed' : '';
  const message = `The webhook ${nameOf(endpoint)} answered ${status}${why}.`;
  return UNAVAILABLE.includes(status)
    ? new BrokerConnectionError(message)
    : new BrokerRefusedError(message);
}

/** For how long an answer asks to be left alone, in milliseconds. */
export function restOf(status: number, header: string | string[] | undefined): number {
  if ((status !== 429 && status !== 503) || typeof header !== 'string') return 0;
  // Seconds, or a date.
  const ms = /^\d+$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - Date.now();
  return Number.isNaN(ms) ? 0 : ms;
}
