import { types } from 'node:util';
import { Clock } from './clock.js';
import { assertName } from './emission-name.js';
import { InvalidEmissionError } from './emission.errors.js';
import type { Emission } from './emission.js';
import { Ids } from './ids.js';
import { quote } from './quote.js';
import { ShapeBudget } from './shape-budget.js';
import { ShapedPlace } from './shaped-place.js';
import { carefulSnapshot, quickSnapshot, sealed, snapshot } from './snapshot.js';
import type { TopicRouter } from './topics.js';
import { Tracing, type Tracer } from './tracing.js';

/** What one may say about an emission beside name, payload and metadata. */
export interface EmitOptions {
  /** Emissions of one key keep their order at every consumer. */
  key?: string | undefined;
  /** Whose it is; goes before the tenant found in metadata, the unit of work's, and the payload's, in this order. */
  tenant?: string | undefined;
  /** For how many milliseconds it is worth delivering. */
  ttlMs?: number | undefined;
  /**
   * For how many milliseconds durable handlers are to leave it alone; others get it at once. Emissions of its key do not wait for it: it
   * takes its place among them when it is due.
   */
  delayMs?: number | undefined;
  /** Who emits it, for people and traces. */
  source?: string | undefined;
  /** In a handler: allows a `tenant` other than that of the emission being handled. */
  crossTenant?: boolean | undefined;
}

/** What a unit of work adds to each of its emissions. */
export interface EmissionOrigin {
  /** Shared by all of the unit; without it, that of the cause, or the id of its first emission. */
  readonly correlationId?: string | undefined;
  /** The emission whose handler is at work. */
  readonly cause?: Emission | undefined;
  /** Stamped on every emission: metadata below what `emit` says, tenant and source when nothing else gives them. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  readonly tenant?: string | undefined;
  readonly source?: string | undefined;
  /** When the reported work began. */
  readonly initializedAt?: number | undefined;
}

export interface EmissionFactoryOptions {
  /** `'deep'` copies and freezes; `'none'` trusts the caller not to change what was emitted. */
  readonly snapshot: 'deep' | 'none';
  /** Which metadata (else payload) field names the tenant. */
  readonly tenancyKey?: string | undefined;
}

/** What is found out once for a name. */
interface KnownName {
  readonly name: string;
  readonly topic: string | undefined;
  /** Where its payloads are. */
  readonly place: ShapedPlace;
}

const EMPTY: Readonly<Record<string, unknown>> = Object.freeze({});
const REMEMBERED_NAMES = 10_000;
const NOT_FIELDS: readonly ((value: unknown) => boolean)[] = [
  types.isDate,
  types.isMap,
  types.isSet,
  types.isRegExp,
  types.isBoxedPrimitive,
  types.isAnyArrayBuffer,
  ArrayBuffer.isView,
];

/** Makes the emissions of one application: checked, copied, frozen, with id, time, topic and tenant. */
export class EmissionFactory {
  readonly clock: Clock = new Clock();
  readonly #ids = new Ids();
  readonly #topics: TopicRouter;
  readonly #deep: boolean;
  readonly #tenancyKey: string | undefined;
  readonly #tracing: Tracing;
  /** Names that passed the check, so that each pays for that once. */
  readonly #names = new Map<string, KnownName>();
  #topicsVersion = -1;
  #shapes = ShapeBudget.whole();
  #last: KnownName | undefined;

  constructor(
    topics: TopicRouter,
    options: EmissionFactoryOptions,
    tracing: Tracing = new Tracing(),
  ) {
    this.#topics = topics;
    this.#deep = options.snapshot === 'deep';
    this.#tenancyKey = options.tenancyKey;
    this.#tracing = tracing;
  }

  /**
   * @throws InvalidEmissionError for a malformed name, key, tenant, source or ttl
   * @throws PayloadError when payload or metadata cannot be copied
   */
  create(
    name: string,
    payload: unknown,
    said: Readonly<Record<string, unknown>> | undefined,
    options: EmitOptions | undefined,
    origin: EmissionOrigin,
  ): Emission {
    const { topic, place } = this.#known(name);
    if (options !== undefined) checkEmitOptions(options);
    const deep = this.#deep;
    const quick = deep ? quickSnapshot(payload, place) : undefined;
    const copied = quick ?? (deep ? carefulSnapshot(payload) : payload);
    const stamped = this.#metadata(said, origin.metadata, deep);
    const { tracer } = this.#tracing;
    const { cause } = origin;
    const metadata = tracer === undefined ? stamped : traced(stamped, tracer);
    // What a payload says may come from a client: it goes behind everything the application says.
    const tenant =
      options?.tenant ??
      this.#tenantIn(stamped) ??
      origin.tenant ??
      this.#tenantIn(copied) ??
      cause?.tenant;
    const occurredAt = this.clock.now();
    const id = this.#ids.next(occurredAt);
    const correlationId = origin.correlationId ?? cause?.correlationId ?? id;
    const depth = cause === undefined ? 0 : cause.depth + 1;
    const emission: Emission = {
      id,
      name,
      topic,
      payload: copied,
      metadata,
      tenant,
      key: options?.key,
      correlationId,
      causationId: cause?.id,
      depth,
      occurredAt,
    };
    const whole = isPlain(options, origin) ? emission : withTheRest(emission, options, origin);
    // What was copied quickly is frozen; asking whether it is costs as much as freezing the emission.
    return deep && quick === undefined ? sealed(whole) : Object.freeze(whole);
  }

  #known(name: string): KnownName {
    const last = this.#last;
    return last?.name === name && this.#topicsVersion === this.#topics.version
      ? last
      : this.#find(name);
  }

  #find(name: string): KnownName {
    if (this.#topicsVersion !== this.#topics.version || this.#names.size > REMEMBERED_NAMES) {
      this.#names.clear();
      this.#last = undefined;
      this.#topicsVersion = this.#topics.version;
      this.#shapes = ShapeBudget.whole();
    }
    let known = this.#names.get(name);
    if (known === undefined) {
      assertName(name);
      const place = new ShapedPlace(this.#shapes.share());
      known = { name, topic: this.#topics.topicOf(name), place };
      this.#names.set(name, known);
    }
    return (this.#last = known);
  }

  #metadata(
    said: Readonly<Record<string, unknown>> | undefined,
    stamp: Readonly<Record<string, unknown>> | undefined,
    deep: boolean,
  ): Readonly<Record<string, unknown>> {
    return said === undefined ? (stamp ?? EMPTY) : this.#stamped(said, stamp, deep);
  }

  #stamped(
    said: Readonly<Record<string, unknown>>,
    stamp: Readonly<Record<string, unknown>> | undefined,
    deep: boolean,
  ): Readonly<Record<string, unknown>> {
    checkMetadata(said);
    const merged = stamp === undefined ? said : merge(stamp, said);
    return deep ? snapshot(merged, 'metadata') : merged;
  }

  #tenantIn(fields: unknown): string | undefined {
    return this.#tenancyKey === undefined ? undefined : tenantOf(fields, this.#tenancyKey);
  }
}

/** Whether nothing was said that few emissions have. */
function isPlain(options: EmitOptions | undefined, origin: EmissionOrigin): boolean {
  return options === undefined && origin.source === undefined && origin.initializedAt === undefined;
}

/** Two shapes, and no more: what reads emissions everywhere stays quick. */
function withTheRest(
  emission: Emission,
  options: EmitOptions | undefined,
  { source: shared, initializedAt }: EmissionOrigin,
): Emission {
  const source = options?.source ?? shared;
  const ttlMs = options?.ttlMs;
  const delayMs = options?.delayMs;
  const isPlainAfterAll =
    source === undefined &&
    initializedAt === undefined &&
    ttlMs === undefined &&
    delayMs === undefined;
  return isPlainAfterAll ? emission : { ...emission, source, initializedAt, ttlMs, delayMs };
}

function tenantOf(fields: unknown, key: string): string | undefined {
  const tenant = ownField(fields, key);
  if (tenant === undefined || tenant === null || tenant === '') return undefined;
  if (typeof tenant === 'string') return tenant;
  if (typeof tenant === 'bigint') return String(tenant);
  if (typeof tenant === 'number' && Number.isFinite(tenant)) return String(tenant);
  throw new InvalidEmissionError(
    `The field '${key}' names the tenant (option tenancy.key) and must be a string or a number, but got ${quote(tenant)}.`,
  );
}

/** @throws InvalidEmissionError when it is no object of fields */
export function checkMetadata(said: unknown): void {
  if (isFields(said)) return;
  throw new InvalidEmissionError(`Metadata is an object of fields, but got ${quote(said)}.`);
}

/** Whether it has fields, and is not an object whose substance is elsewhere. */
function isFields(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  try {
    const prototype = Object.getPrototypeOf(value) as object | null;
    if (prototype === Object.prototype || prototype === null) return true;
    return !Array.isArray(value) && !NOT_FIELDS.some((is) => is(value));
  } catch {
    // A proxy throws: the snapshot says so.
    return true;
  }
}

/** What `emit` says goes before what the unit of work stamps. */
function merge(
  stamp: Readonly<Record<string, unknown>>,
  said: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  try {
    return { ...stamp, ...said };
  } catch {
    // A getter throws: the snapshot tells which.
    return { ...stamp, ...snapshot(said, 'metadata') };
  }
}

/** What the application says goes before the active trace: it may have it from elsewhere. */
function traced(
  metadata: Readonly<Record<string, unknown>>,
  tracer: Tracer,
): Readonly<Record<string, unknown>> {
  if (metadata['traceparent'] !== undefined) return metadata;
  const trace = tracer.stamp();
  if (trace === undefined) return metadata;
  return Object.freeze({ ...metadata, ...trace });
}

function ownField(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined;
}

const TEXT_OPTIONS: readonly string[] = ['key', 'tenant', 'source'];
const TIME_OPTIONS: readonly string[] = ['ttlMs', 'delayMs'];
const FLAG_OPTIONS: readonly string[] = ['crossTenant'];

/**
 * @param who has these options, and `beside` them others
 * @throws InvalidEmissionError naming the option that is wrong, or that there is not
 */
export function checkEmitOptions(
  options: EmitOptions,
  who = 'emit',
  beside: readonly string[] = [],
): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new InvalidEmissionError(
      `${who}'s options are an object, such as { key: 'order-1' }, but got ${quote(options)}.`,
    );
  }
  for (const [key, value] of Object.entries(options)) {
    if (value === undefined) continue;
    if (TEXT_OPTIONS.includes(key)) {
      if (typeof value === 'string' && value !== '') continue;
      throw new InvalidEmissionError(
        `${who}'s option ${key} takes a non-empty string, but got ${quote(value)}.`,
      );
    }
    if (TIME_OPTIONS.includes(key)) {
      if (typeof value === 'number' && value >= 0) continue;
      throw new InvalidEmissionError(
        `${who}'s option ${key} takes milliseconds of 0 or more, but got ${quote(value)}.`,
      );
    }
    if (FLAG_OPTIONS.includes(key)) {
      if (typeof value === 'boolean') continue;
      throw new InvalidEmissionError(
        `${who}'s option ${key} takes true or false, but got ${quote(value)}.`,
      );
    }
    throw new InvalidEmissionError(
      `${who} has no option "${key}". It has: ${[...beside, ...TEXT_OPTIONS, ...TIME_OPTIONS, ...FLAG_OPTIONS].sort().join(', ')}.`,
    );
  }
}
