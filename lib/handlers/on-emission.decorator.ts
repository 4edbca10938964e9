import 'reflect-metadata';
import type { PayloadOf } from '../emission/catalog.js';
import { ConfigurationError } from '../emission/emission.errors.js';
import type { EmissionClass } from '../emission/emission-type.decorator.js';
import type { Emission } from '../emission/emission.js';
import type { EmissionPattern } from '../emission/pattern.js';
import type { HandlerContext } from './handler.js';
import type { HandlerOptions } from './handler.options.js';

const ON_EMISSION = Symbol('nestjs-emissions:on-emission');

/** One `@OnEmission` as it was written. */
export interface OnEmissionMetadata {
  readonly pattern: EmissionPattern;
  readonly options: HandlerOptions;
}

/** What a handler of a pattern is called with: the catalog's payload, an instance of the class, or anything. */
export type HandledPayload<P> = P extends readonly (infer Q)[]
  ? SinglePayload<Q>
  : SinglePayload<P>;

type SinglePayload<P> =
  P extends EmissionClass<infer T>
    ? T
    : P extends string
      ? unknown extends PayloadOf<P>
        ? any
        : PayloadOf<P>
      : any;

type HandlerMethod<T> = (payload: T, emission: Emission<T>, context: HandlerContext) => unknown;

/**
 * Marks a method of a provider or controller as a handler: it is called with `(payload, emission, context)` for every
 * committed emission that the pattern takes, outside the request that emitted, with retries and limits of its own.
 *
 * What it emits is committed when it succeeds. Returning {@link IGNORED} says it did nothing; throwing says it failed.
 * Several decorators may stand on one method: those with the same options are one handler that takes what any of their
 * patterns takes, once; others are handlers of their own (`Class.method`, `Class.method#2`, in the order they are written).
 *
 * Patterns and options are checked when the application starts; a mistake is a `ConfigurationError` or `PatternError`.
 *
 * @throws ConfigurationError on a property, a static method or one that is named by a symbol, which nobody would find
 */
export function OnEmission<const P extends EmissionPattern>(
  pattern: P,
  options: HandlerOptions<HandledPayload<P>> = {},
): <M extends HandlerMethod<HandledPayload<P>>>(
  target: object,
  key: string | symbol,
  descriptor: TypedPropertyDescriptor<M>,
) => void {
  return (target, key, descriptor) => {
    // In plain JavaScript it may stand on a property, which has none.
    const method: unknown = (descriptor as TypedPropertyDescriptor<unknown> | undefined)?.value;
    if (typeof method !== 'function' || typeof target === 'function') {
      const owner = typeof target === 'function' ? target : target.constructor;
      throw new ConfigurationError(
        `@OnEmission on ${owner.name}.${String(key)}: it marks methods of instances, and this is none.`,
      );
    }
    if (typeof key === 'symbol') {
      throw new ConfigurationError(
        `@OnEmission on ${target.constructor.name}.${String(key)}: methods are found by names, and this one has a symbol. Give it a name.`,
      );
    }
    // Decorators are applied from the bottom up: what stands above comes first.
    Reflect.defineMetadata(ON_EMISSION, [{ pattern, options }, ...onEmissionsOf(method)], method);
  };
}

/** The `@OnEmission`s of a method, in the order they are written. */
export function onEmissionsOf(method: object): readonly OnEmissionMetadata[] {
  return (Reflect.getOwnMetadata(ON_EMISSION, method) as OnEmissionMetadata[] | undefined) ?? [];
}
