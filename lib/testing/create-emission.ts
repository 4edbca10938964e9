import { emissionTypeOf } from '../emission/emission-type.decorator.js';
import type { EmissionCatalog } from '../emission/catalog.js';
import { EmissionFactory, type EmitOptions } from '../emission/emission.factory.js';
import type { Emission } from '../emission/emission.js';
import { TopicRouter } from '../emission/topics.js';
import { TestingError } from './testing.errors.js';
import { quote } from '../emission/quote.js';

/** What `createEmission` takes beside the payload. */
export interface CreateOptions extends Omit<EmitOptions, 'crossTenant'> {
  /** What is known about it beside the payload. */
  metadata?: Readonly<Record<string, unknown>>;
  /** The topic it is to belong to. */
  topic?: string;
  /** The emission whose handler is to have emitted it. */
  cause?: Emission;
}

/** Makes an emission of an instance of a class marked with `@EmissionType`, which nobody emits. */
export function createEmission<T extends object>(event: T, options?: CreateOptions): Emission<T>;
/** Makes an emission that nobody emits, to give it to a handler or an adapter: as `emit` would make it, copied and frozen. */
export function createEmission<N extends keyof EmissionCatalog & string>(
  name: N,
  payload: EmissionCatalog[N],
  options?: CreateOptions,
): Emission<EmissionCatalog[N]>;
/** The same with a name outside the catalog. */
export function createEmission<N extends string, P>(
  name: N extends keyof EmissionCatalog ? never : N,
  payload?: P,
  options?: CreateOptions,
): Emission<P>;
export function createEmission(first: unknown, second?: unknown, third?: unknown): Emission {
  if (typeof first === 'string') return create(first, second, third as CreateOptions | undefined);
  const type = emissionTypeOf(first);
  if (type === undefined || typeof first === 'function') {
    throw new TestingError(
      `createEmission takes a name and a payload, or an instance of a class marked with @EmissionType, but got ${quote(first)}.`,
    );
  }
  const key = type.key?.(first as never);
  return create(type.name, first, {
    ...(key !== undefined && { key }),
    ...(second as CreateOptions),
  });
}

function create(name: string, payload: unknown, options: CreateOptions = {}): Emission {
  const { metadata, topic, cause, ...said } = options;
  const topics = new TopicRouter();
  if (topic !== undefined) topics.register(topic, [name]);
  const factory = new EmissionFactory(topics, { snapshot: 'deep' });
  return factory.create(name, payload, metadata, said, { cause });
}
