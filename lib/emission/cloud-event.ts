import type { Emission } from './emission.js';
import { assertName } from './emission-name.js';
import { InvalidEmissionError } from './emission.errors.js';
import { toJsonValue } from './json-value.js';
import { quote } from './quote.js';
import { sealed, snapshot } from './snapshot.js';

/**
 * A CloudEvent 1.0 (JSON format). What an emission knows beyond the standard attributes travels in extension attributes,
 * whose names the specification limits to lower-case letters and digits.
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
  tenant?: string;
  topic?: string;
  correlationid: string;
  causationid?: string;
  depth: number;
  /** Epoch milliseconds with fractions; `time` has them cut to microseconds. */
  occurredat: number;
  initializedat?: number;
  ttlms?: number;
  /** The emission's own `source`, when it has one; `source` must always be there. */
  emissionsource?: string;
  metadata: Record<string, unknown>;
}

const DEFAULT_SOURCE = '/nestjs-emissions';

/**
 * Maps an emission to a CloudEvent: `name` → `type`, `payload` → `data`, `key` → `subject`. Values JSON does not know are
 * written as JSON can (maps as entries, bigints and bytes as strings).
 */
export function toCloudEvent(emission: Emission): CloudEvent {
  const { traceparent } = emission.metadata;
  return {
    specversion: '1.0',
    id: emission.id,
    source: emission.source ?? DEFAULT_SOURCE,
    type: emission.name,
    time: timestamp(emission.occurredAt),
    datacontenttype: 'application/json',
    ...defined('subject', emission.key),
    data: toJsonValue(emission.payload),
    ...defined('traceparent', typeof traceparent === 'string' ? traceparent : undefined),
    ...defined('tenant', emission.tenant),
    ...defined('topic', emission.topic),
    correlationid: emission.correlationId,
    ...defined('causationid', emission.causationId),
    depth: emission.depth,
    occurredat: emission.occurredAt,
    ...defined('initializedat', emission.initializedAt),
    ...defined('ttlms', emission.ttlMs),
    ...defined('emissionsource', emission.source),
    metadata: toJsonValue(emission.metadata) as Record<string, unknown>,
  };
}

/**
 * Maps a CloudEvent back to an emission; one that `toCloudEvent` made comes back equal. One from elsewhere needs `id`,
 * `type` and a `specversion` of 1.x; its `source` is kept, `data_base64` becomes bytes, what it lacks is filled in.
 *
 * @throws InvalidEmissionError naming the attribute that is missing or malformed
 * @throws PayloadError when `data` or `metadata` hold something that cannot be copied
 */
export function fromCloudEvent(event: unknown): Emission {
  if (typeof event !== 'object' || event === null || Array.isArray(event)) {
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

/** RFC 3339 with microseconds. */
function timestamp(time: number): string {
  const micros = Math.floor((time % 1) * 1_000);
  return new Date(time).toISOString().replace('Z', `${String(micros).padStart(3, '0')}Z`);
}

type Given = Readonly<Partial<Record<keyof CloudEvent | 'data_base64', unknown>>>;

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
  const metadata = read(given, 'metadata');
  if (metadata !== undefined && (typeof metadata !== 'object' || Array.isArray(metadata))) {
    throw malformed('metadata', 'an object', metadata);
  }
  const traceparent = optional(given, 'traceparent');
  const copied = snapshot(metadata ?? {}, 'metadata') as Readonly<Record<string, unknown>>;
  return traceparent === undefined || copied['traceparent'] === traceparent
    ? copied
    : snapshot({ ...copied, traceparent }, 'metadata');
}

function required(given: Given, attribute: 'id' | 'type'): string {
  const value = optional(given, attribute);
  if (value !== undefined) return value;
  throw malformed(attribute, 'a non-empty string', value);
}

function optional(given: Given, attribute: keyof Given): string | undefined {
  const value = read(given, attribute);
  if (value === undefined || (typeof value === 'string' && value !== '')) return value;
  throw malformed(attribute, 'a non-empty string', value);
}

function amount(
  given: Given,
  attribute: keyof Given,
  accepts: (value: unknown) => boolean,
  takes: string,
): number | undefined {
  const value = read(given, attribute);
  if (value === undefined) return value;
  if (typeof value === 'number' && value >= 0 && accepts(value)) return value;
  throw malformed(attribute, takes, value);
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
