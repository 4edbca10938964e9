import { toCloudEvent, type CloudEvent } from '../emission/cloud-event.js';
import type { Emission } from '../emission/emission.js';

/** What a format of one's own makes of an emission. */
export interface RecordContent {
  readonly body: string | Uint8Array;
  /** Without one, the record has no content type. */
  readonly contentType?: string;
  /** Besides those that every record has. */
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * How an emission is written: as a CloudEvent in binary mode (attributes as headers, the payload as the body) or in
 * structured mode (one JSON object), or in a form of one's own.
 */
export type RecordFormat = 'binary' | 'structured' | ((emission: Emission) => RecordContent);

/** How a broker writes attributes of CloudEvents as headers. */
export interface HeaderStyle {
  readonly prefix: 'ce_' | 'ce-' | 'cloudEvents_';
  /** Whether values may hold nothing but visible ASCII, so that everything else is percent-encoded. */
  readonly ascii: boolean;
}

/** An emission as written: what every broker carries. */
export interface WrittenEmission {
  readonly headers: Record<string, string>;
  readonly body: string | Uint8Array;
}

/** Writes an emission. Throws when it cannot be written. */
export function writeEmission(
  emission: Emission,
  format: RecordFormat,
  style: HeaderStyle,
): WrittenEmission {
  const headers: Record<string, string> = { 'message-id': emission.id };
  const set = (name: string, value: unknown): void => {
    if (typeof value !== 'string' || value === '') return;
    headers[name] = style.ascii ? percentEncoded(value) : value;
  };
  set('correlation-id', emission.correlationId);
  set('causation-id', emission.causationId);
  set('tenant', emission.tenant);
  set('traceparent', emission.metadata['traceparent']);
  set('tracestate', emission.metadata['tracestate']);
  if (typeof format === 'function') {
    const { body, contentType, headers: more = {} } = format(emission);
    if (typeof body !== 'string' && !ArrayBuffer.isView(body)) {
      throw new TypeError('format() has to give { body } with a string or bytes');
    }
    for (const [name, value] of Object.entries({ 'content-type': contentType, ...more })) {
      if (value !== undefined && typeof value !== 'string') {
        throw new TypeError(
          `format() has to give headers as text, but '${name}' is of type ${typeof value}`,
        );
      }
      set(name, value);
    }
    return { headers, body };
  }
  const event = toCloudEvent(emission);
  if (format === 'structured') {
    headers['content-type'] = 'application/cloudevents+json';
    return { headers, body: JSON.stringify(event) };
  }
  headers['content-type'] = 'application/json';
  for (const name in event) {
    if (name === 'data' || name === 'datacontenttype') continue;
    set(style.prefix + name, String(event[name as keyof CloudEvent]));
  }
  // What JSON has no word for, `undefined`, is written as nothing.
  return { headers, body: JSON.stringify(event.data) ?? '' };
}

/** A record as a client hands it out. */
export interface ReceivedRecord {
  /** Names as the adapter wrote them, in upper or lower case; values as text or UTF-8 bytes. */
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string | Uint8Array;
}

/**
 * Reads a record that was written in binary or in structured mode as a CloudEvent, by any of the adapters or by anybody else
 * who keeps to the bindings of CloudEvents. `fromCloudEvent` makes an emission of it.
 *
 * @throws TypeError when it is no CloudEvent; SyntaxError when its body is not the JSON that it says it is
 */
export function cloudEventOf({ headers, body }: ReceivedRecord): Record<string, unknown> {
  const text = textOf(body);
  const event: Record<string, unknown> = {};
  const trace: Record<string, unknown> = {};
  let type = '';
  for (const [given, value] of Object.entries(headers)) {
    const name = given.toLowerCase();
    if (name === 'content-type') type = textOf(value);
    if (TRACE.includes(name) && textOf(value) !== '') trace[name] = textOf(value);
    const [, prefix, attribute] = /^(ce[_-]|cloudevents[_:])(.+)$/.exec(name) ?? [];
    if (attribute === undefined) continue;
    event[attribute] = prefix === 'ce-' ? percentDecoded(textOf(value)) : textOf(value);
  }
  if (type.startsWith('application/cloudevents+json')) {
    return withTrace(JSON.parse(text) as Record<string, unknown>, trace);
  }
  if (event['specversion'] === undefined) {
    throw new TypeError(
      'The record is no CloudEvent: it has neither the header ce_specversion nor the content type application/cloudevents+json.',
    );
  }
  if (text !== '') event['data'] = JSON.parse(text) as unknown;
  return withTrace(event, trace);
}

const TRACE = ['traceparent', 'tracestate'];

/** What the event itself says is where it was made; a record that was sent by others may only say who sent it. */
function withTrace(
  event: Record<string, unknown>,
  trace: Record<string, unknown>,
): Record<string, unknown> {
  return event?.['traceparent'] === undefined ? Object.assign(event, trace) : event;
}

const UNSAFE = /[^\u0021-\u007E]|["%]/gu;

/** As the HTTP binding of CloudEvents has it. */
function percentEncoded(value: string): string {
  return value
    .toWellFormed()
    .replace(UNSAFE, (char) =>
      Array.from(
        Buffer.from(char),
        (byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
      ).join(''),
    );
}

function percentDecoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

function textOf(value: unknown): string {
  if (ArrayBuffer.isView(value)) {
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('utf8');
  }
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : stringOf(value);
}

function stringOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
