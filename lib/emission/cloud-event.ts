import type { Emission } from './emission.js';
import { assertName } from './emission-name.js';
import { InvalidEmissionError } from './emission.errors.js';
import { toJsonValue } from './json-value.js';
import { quote } from './quote.js';
import { sealed, snapshot } from './snapshot.js';

/**
 * A CloudEvent 1.0 (JSON format). What an emission knows beyond the standard attributes travels in extension attributes; the
 * specification limits their names to lower-case letters and digits, and their values to strings, booleans and 32-bit
 * integers, so that fractions and objects are written as strings.
 */
export interface CloudEvent {
  specversion: '1.0';
  id: string;
  source: string;
  type: string;
  time: string;
  datacontenttype: 'application/json';
  subject?: string;
  data: unknown;
  /** W3C trace context, taken from `metadata.traceparent`. */
  traceparent?: string;
  /** The same, from `metadata.tracestate`. */
  tracestate?: string;
  tenant?: string;
  topic?: string;
  correlationid: string;
  causationid?: string;
  depth: number;
  /** Epoch milliseconds with fractions, as a decimal; `time` has them cut to microseconds. */
  occurredat: string;
  /** Epoch milliseconds, as a decimal. */
  initializedat?: string;
  /** Milliseconds, as a decimal. */
  ttlms?: string;
  /** The emission's own `source`, when it has one; `source` must always be there, and be a URI reference. */
  emissionsource?: string;
  /** An object as JSON; absent when it is empty. */
  metadata?: string;
}

const DEFAULT_SOURCE = '/nestjs-emissions';

/**
 * Maps an emission to a CloudEvent: `name` → `type`, `payload` → `data`, `key` → `subject`. Values JSON does not know are
 * written as JSON can (maps as entries, bigints and bytes as strings).
 */
export function toCloudEvent(emission: Emission): CloudEvent {
  const { traceparent, tracestate } = emission.metadata;
  const { source, key, tenant, topic, causationId, initializedAt, ttlMs } = emission;
  // One behind another, in this order: spreading what there is costs several times as much.
  const event: Partial<CloudEvent> = {
    specversion: '1.0',
    id: emission.id,
    source: source === undefined ? DEFAULT_SOURCE : uriReference(source),
    type: emission.name,
    time: timestamp(emission.occurredAt),
    datacontenttype: 'application/json',
  };
  if (key !== undefined) event.subject = key;
  event.data = toJsonValue(emission.payload);
  if (isText(traceparent)) event.traceparent = traceparent;
  if (isText(tracestate)) event.tracestate = tracestate;
  if (tenant !== undefined) event.tenant = tenant;
  if (topic !== undefined) event.topic = topic;
  event.correlationid = emission.correlationId;
  if (causationId !== undefined) event.causationid = causationId;
  event.depth = emission.depth;
  event.occurredat = String(emission.occurredAt);
  if (initializedAt !== undefined) event.initializedat = String(initializedAt);
  if (ttlMs !== undefined) event.ttlms = String(ttlMs);
  if (source !== undefined) event.emissionsource = source;
  const metadata = jsonOf(emission.metadata);
  if (metadata !== undefined) event.metadata = metadata;
  return event as CloudEvent;
}

/**
 * Maps a CloudEvent back to an emission; one that `toCloudEvent` made comes back equal, also when a transport made strings
 * of its numbers. One from elsewhere needs `id`, `type` and a `specversion` of 1.x; its `source` is kept, `data_base64` becomes
 * bytes, what it lacks is filled in; `metadata` may be an object as well as JSON.
 *
 * @throws InvalidEmissionError naming the attribute that is missing or malformed
 * @throws PayloadError when `data` or `metadata` hold something that cannot be copied
 */
export function fromCloudEvent(event: unknown): Emission {
  if (!isRecord(event)) {
    throw new InvalidEmissionError(`A CloudEvent is an object, but got ${quote(event)}.`);
  }
  const given = event as Given;
  const specversion = read(given, 'specversion');
  if (typeof specversion !== 'string' || !/^1\.\d+$/.test(specversion)) {
    throw malformed('specversion', '"1.0"', specversion);
  }
  const id = required(given, 'id');
  const source = optional(given, 'source');
  return sealed({
    id,
    name: nameOf(required(given, 'type')),
    topic: optional(given, 'topic'),
    payload: payloadOf(given),
    metadata: metadataOf(given),
    tenant: optional(given, 'tenant'),
    key: optional(given, 'subject'),
    source: optional(given, 'emissionsource') ?? (source === DEFAULT_SOURCE ? undefined : source),
    correlationId: optional(given, 'correlationid') ?? id,
    causationId: optional(given, 'causationid'),
    depth: amount(given, 'depth', Number.isSafeInteger, 'a whole number of 0 or more') ?? 0,
    initializedAt: amount(given, 'initializedat', isTime, EPOCH_MS),
    occurredAt: amount(given, 'occurredat', isTime, EPOCH_MS) ?? parseTime(read(given, 'time')),
    ttlMs: amount(given, 'ttlms', Number.isFinite, 'milliseconds of 0 or more'),
  });
}

/** What the specification asks of `source`: the text itself when it is one, else with what is not allowed encoded. */
function uriReference(source: string): string {
  return URI_REFERENCE.test(source) ? source : encodeURIComponent(source.toWellFormed());
}

/** As JSON without control characters, which strings of attributes may not have; nothing when it is empty. */
function jsonOf(metadata: Readonly<Record<string, unknown>>): string | undefined {
  const json = JSON.stringify(toJsonValue(metadata));
  return json === '{}'
    ? undefined
    : json.replaceAll(CONTROL, (char) => `\\u00${char.charCodeAt(0).toString(16)}`);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

/** RFC 3339 with microseconds. */
function timestamp(time: number): string {
  const micros = Math.floor((time % 1) * 1_000);
  return `${new Date(time).toISOString().slice(0, -1)}${String(micros).padStart(3, '0')}Z`;
}

type Given = Readonly<Partial<Record<keyof CloudEvent | 'data_base64', unknown>>>;

const characters = (more = ''): string => String.raw`(?:[\w.~!$&'()*+,;=@/${more}-]|%[\da-f]{2})*`;
const ADDRESS = String.raw`[a-z][a-z\d+.-]*:(?://[\w.-]+(?::\d+)?(?=[/?#]|$))?(?!//)${characters(':')}`;
const PATH = `(?!//)${characters()}`;
/** An address (`https://shop.example:8080/eu`), a URN or a path, as RFC 3986 writes them. */
const URI_REFERENCE = new RegExp(
  String.raw`^(?:${ADDRESS}|${PATH})(?:\?${characters(':?')})?(?:#${characters(':?')})?$`,
  'i',
);
/** JSON escapes those below the space by itself. */
const CONTROL = /[\u007F-\u009F]/g;
const DECIMAL = /^\d+(?:\.\d+)?(?:e[+-]?\d+)?$/;
const TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.(\d+))?(?:Z|[+-]\d\d:\d\d)$/i;
const EPOCH_MS = 'epoch milliseconds';
const LATEST = 8_640_000_000_000_000;

function isTime(value: unknown): boolean {
  return Number(value) <= LATEST;
}

function parseTime(time: unknown): number {
  if (time === undefined) return Date.now();
  const match = typeof time === 'string' ? TIMESTAMP.exec(time) : null;
  const parsed = match === null ? Number.NaN : Date.parse(time as string);
  if (Number.isNaN(parsed)) throw malformed('time', 'an RFC 3339 timestamp', time);
  // Date stops at milliseconds.
  const beyond = match![1]?.slice(3) ?? '';
  return beyond === '' ? parsed : parsed + Number(`0.${beyond}`);
}

function nameOf(type: string): string {
  try {
    assertName(type);
    return type;
  } catch (error) {
    throw malformed('type', `the name of an emission (${(error as Error).message})`, type);
  }
}

function payloadOf(given: Given): unknown {
  const bytes = optional(given, 'data_base64');
  const data = read(given, 'data', null);
  return data === undefined && bytes !== undefined
    ? Buffer.from(bytes, 'base64')
    : snapshot(data, 'data');
}

function metadataOf(given: Given): Readonly<Record<string, unknown>> {
  const written = read(given, 'metadata');
  const metadata = typeof written === 'string' ? parsed(written) : written;
  if (metadata !== undefined && !isRecord(metadata)) {
    throw malformed('metadata', 'an object, or one as JSON', written);
  }
  const trace = {
    ...defined('traceparent', optional(given, 'traceparent')),
    ...defined('tracestate', optional(given, 'tracestate')),
  };
  const copied = snapshot(metadata ?? {}, 'metadata') as Readonly<Record<string, unknown>>;
  return Object.entries(trace).every(([name, value]) => copied[name] === value)
    ? copied
    : snapshot({ ...copied, ...trace }, 'metadata');
}

/** What JSON says; `null` when it is none. */
function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
}

function isRecord(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function required(given: Given, attribute: 'id' | 'type'): string {
  const value = optional(given, attribute);
  if (value !== undefined) return value;
  throw malformed(attribute, 'a non-empty string', value);
}

function optional(given: Given, attribute: keyof Given): string | undefined {
  const value = read(given, attribute);
  if (value === undefined || isText(value)) return value;
  throw malformed(attribute, 'a non-empty string', value);
}

function amount(
  given: Given,
  attribute: keyof Given,
  accepts: (value: unknown) => boolean,
  takes: string,
): number | undefined {
  const written = read(given, attribute);
  if (written === undefined) return written;
  const value = typeof written === 'string' && DECIMAL.test(written) ? Number(written) : written;
  if (typeof value === 'number' && value >= 0 && accepts(value)) return value;
  throw malformed(attribute, takes, written);
}

/** For an attribute, `null` stands for what is not there, as in JSON. */
function read(given: Given, attribute: keyof Given, whenNull?: null): unknown {
  try {
    const value = given[attribute];
    return value === null ? whenNull : value;
  } catch (error) {
    throw new InvalidEmissionError(
      `The CloudEvent's attribute '${attribute}' cannot be read: ${quote(error)}.`,
      { cause: error },
    );
  }
}

function malformed(attribute: string, takes: string, got: unknown): InvalidEmissionError {
  return new InvalidEmissionError(
    `The CloudEvent's attribute '${attribute}' must be ${takes}, but got ${quote(got)}.`,
  );
}

function defined<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]?: V });
}
