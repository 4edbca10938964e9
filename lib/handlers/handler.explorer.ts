import { Injectable } from '@nestjs/common';
import { ContextIdFactory, DiscoveryService, MetadataScanner, ModuleRef } from '@nestjs/core';
import { Injector } from '@nestjs/core/injector/injector.js';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import { isDeepStrictEqual } from 'node:util';
import type { EmissionHandler, HandlerHost } from './handler.js';
import { isHandlerId, type HandlerOptions } from './handler.options.js';
import { lateBound } from './late-bound.js';
import { onEmissionsOf, type OnEmissionMetadata } from './on-emission.decorator.js';
import type { EmissionPattern, SinglePattern } from '../emission/pattern.js';

/** A handler as it was found: not yet checked. */
export interface FoundHandler {
  /** `Class.method`, with `#2` … for further decorators, unless the options name it. */
  readonly id: string;
  readonly pattern: EmissionPattern;
  readonly options: HandlerOptions;
  readonly host: HandlerHost;
}

type Host = NonNullable<InstanceWrapper['host']>;

/** Finds the methods marked `@OnEmission` on every provider and controller of the application. */
@Injectable()
export class HandlerExplorer {
  readonly #injector = new Injector();

  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
    private readonly moduleRef: ModuleRef,
  ) {}

  /** In the order the modules were built; an alias is not a second handler. */
  explore(): FoundHandler[] {
    const seen = new Set<unknown>();
    return [...this.discovery.getProviders(), ...this.discovery.getControllers()].flatMap(
      (wrapper) => {
        const instance: unknown = wrapper.instance;
        if (
          wrapper.isAlias ||
          typeof instance !== 'object' ||
          instance === null ||
          seen.has(instance)
        )
          return [];
        seen.add(instance);
        return this.#exploreHost(wrapper, instance);
      },
    );
  }

  #exploreHost(wrapper: InstanceWrapper, instance: object): FoundHandler[] {
    const prototype = Object.getPrototypeOf(instance) as Record<string, unknown> | null;
    if (prototype === null || prototype === (Object.prototype as unknown)) return [];
    return this.scanner.getAllMethodNames(prototype).flatMap((method) => {
      const written = onEmissionsOf(prototype[method] as object);
      if (written.length === 0) return [];
      const owner = instance.constructor.name;
      const host = this.#hostOf(wrapper, instance, method);
      return merge(written).map(({ pattern, options }, i) => {
        const own = `${owner}.${method}${i === 0 ? '' : `#${i + 1}`}`;
        // What is no id, or no options, is refused under the name it would have had.
        const id = isHandlerId(options?.id) ? options.id : own;
        return { id, pattern, options, host };
      });
    });
  }

  #hostOf(wrapper: InstanceWrapper, instance: object, method: string): HandlerHost {
    const host = wrapper.host!;
    const said = {
      describe: `${instance.constructor.name} (module ${host.name})`,
      method: { of: instance.constructor, name: method },
    };
    if (wrapper.isDependencyTreeStatic() && !wrapper.isTransient)
      return { ...said, bound: lateBound(instance, method) };
    return {
      ...said,
      build: async (emission) => {
        const built = await this.#build(wrapper, instance, host, emission);
        return (...given) => built[method]!(...given);
      },
    };
  }

  /** Builds a request-scoped host for one call; the emission is its `REQUEST`. */
  async #build(
    wrapper: InstanceWrapper,
    instance: object,
    host: Host,
    emission: unknown,
  ): Promise<Record<string, EmissionHandler<never>>> {
    const contextId = ContextIdFactory.create();
    this.moduleRef.registerRequestByContextId(emission, contextId);
    const collection = host.controllers.has(wrapper.token) ? host.controllers : host.providers;
    return (await this.#injector.loadPerContext(
      instance,
      host,
      collection,
      contextId,
      wrapper,
    )) as Record<string, EmissionHandler<never>>;
  }
}

/** Decorators that say the same beside their pattern are one handler. */
function merge(written: readonly OnEmissionMetadata[]): OnEmissionMetadata[] {
  const merged: { pattern: SinglePattern[]; options: HandlerOptions }[] = [];
  for (const { pattern, options } of written) {
    const same = merged.find((other) => isDeepStrictEqual(other.options, options));
    const patterns = [pattern].flat() as SinglePattern[];
    if (same === undefined) merged.push({ pattern: patterns, options });
    else same.pattern.push(...patterns);
  }
  return merged;
}
