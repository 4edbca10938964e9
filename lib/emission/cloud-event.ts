import type { Emission } from './emission.js';
import { assertName } from './emission-name.js';
import { InvalidEmissionError } from './emission.errors.js';
import { toJsonValue } from './json-value.js';
import { quote } from './quote.js';
import { snapshot } from './snapshot.js';

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
 * `type` and a `specversion` of 1.x; its `source` is kept, what it lacks is filled in.
 *
 * @throws InvalidEmissionError naming the attribute that is missing or malformed
 */
export function fromCloudEvent(event: unknown): Emission {
  if (typeof event !== 'object' || event === null) {
    throw new InvalidEmissionError(`A CloudEvent is an object, but got ${quote(event)}.`);
  }
  const given = event as Partial<Record<keyof CloudEvent, unknown>>;
  if (typeof given.specversion !== 'string' || !given.specversion.startsWith('1.')) {
    throw malformed('specversion', '"1.0"', given.specversion);
  }
  const id = required(given, 'id');
  const name = required(given, 'type');
  assertName(name);
  const metadata = optional(given, 'metadata', 'object') as Record<string, unknown> | undefined;
  const traceparent = optional(given, 'traceparent', 'string');
  const source = optional(given, 'source', 'string') as string | undefined;
  return Object.freeze({
    id,
    name,
    topic: optional(given, 'topic', 'string') as string | undefined,
    payload: snapshot(given.data, 'data'),
    metadata: snapshot(
      traceparent === undefined ? { ...metadata } : { ...metadata, traceparent },
      'metadata',
    ),
    tenant: optional(given, 'tenant', 'string') as string | undefined,
    key: optional(given, 'subject', 'string') as string | undefined,
    source:
      (optional(given, 'emissionsource', 'string') as string | undefined) ??
      (source === DEFAULT_SOURCE ? undefined : source),
    correlationId: (optional(given, 'correlationid', 'string') as string | undefined) ?? id,
    causationId: optional(given, 'causationid', 'string') as string | undefined,
    depth: (optional(given, 'depth', 'number') as number | undefined) ?? 0,
    initializedAt: optional(given, 'initializedat', 'number') as number | undefined,
    occurredAt:
      (optional(given, 'occurredat', 'number') as number | undefined) ?? parseTime(given.time),
    ttlMs: optional(given, 'ttlms', 'number') as number | undefined,
  });
}

/** RFC 3339 with microseconds. */
function timestamp(time: number): string {
  const micros = Math.floor((time % 1) * 1_000);
  return new Date(time).toISOString().replace('Z', `${String(micros).padStart(3, '0')}Z`);
}

function parseTime(time: unknown): number {
  if (time === undefined) return Date.now();
  const parsed = typeof time === 'string' ? Date.parse(time) : Number.NaN;
  if (Number.isNaN(parsed)) throw malformed('time', 'an RFC 3339 timestamp', time);
  return parsed;
}

function required(
  event: Partial<Record<keyof CloudEvent, unknown>>,
  attribute: 'id' | 'type',
): string {
  const value = event[attribute];
  if (typeof value === 'string' && value !== '') return value;
  throw malformed(attribute, 'a non-empty string', value);
}

function optional(
  event: Partial<Record<keyof CloudEvent, unknown>>,
  attribute: keyof CloudEvent,
  type: 'string' | 'number' | 'object',
): unknown {
  const value = event[attribute] ?? undefined;
  if (value === undefined || typeof value === type) return value;
  throw malformed(attribute, `a ${type}`, value);
}

function malformed(attribute: string, takes: string, got: unknown): InvalidEmissionError {
  return new InvalidEmissionError(
    `The CloudEvent's attribute '${attribute}' must be ${takes}, but got ${quote(got)}.`,
  );
}

function defined<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]?: V });
}
