import { Injectable } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import {
  AdapterBinding,
  EMISSION_ADAPTER,
  type BringsAdapter,
} from './emission/adapter-binding.js';
import type { EmissionAdapter } from './emission/adapter.js';
import type { ConsumerSettings } from './emission/consumer.options.js';
import { ConfigurationError } from './emission/emission.errors.js';

/** An adapter as it was found. */
export interface FoundAdapter {
  /** The registration's, the adapter's own, or its class's; unique. */
  readonly name: string;
  readonly adapter: EmissionAdapter;
  readonly consumer: ConsumerSettings;
}

/** Finds the adapters of the application, wherever they are registered, and sees to it that their names are unique. */
@Injectable()
export class AdapterExplorer {
  constructor(private readonly discovery: DiscoveryService) {}

  /**
   * In the order they are registered.
   *
   * @throws ConfigurationError when two registrations have one name, or an adapter would be built anew for each request
   */
  explore(): FoundAdapter[] {
    const wrappers = this.discovery.getProviders();
    for (const wrapper of wrappers) refuseRequestScoped(wrapper);
    const bindings = wrappers
      .filter(({ isAlias }) => !isAlias)
      .map((wrapper) => bindingOf(wrapper))
      .filter((binding) => binding !== undefined);
    const names = new Set<string>();
    for (const { name } of bindings) if (name !== undefined) claim(name, names);
    return bindings.map(({ adapter, name, consumer }) => ({
      name: name ?? free(ownName(adapter), names),
      adapter,
      consumer,
    }));
  }
}

function bindingOf({ instance, metatype }: InstanceWrapper): AdapterBinding | undefined {
  if (instance instanceof AdapterBinding) return instance;
  // Only the class is asked: touching a property of any provider could wake up one that is a proxy.
  const prototype: unknown = metatype?.prototype;
  const brings =
    typeof prototype === 'object' && prototype !== null && 'emissionsAdapter' in prototype;
  return brings ? (instance as BringsAdapter).emissionsAdapter : undefined;
}

function refuseRequestScoped(wrapper: InstanceWrapper): void {
  if (wrapper.token !== EMISSION_ADAPTER || wrapper.isDependencyTreeStatic()) return;
  const type = Array.isArray(wrapper.inject) ? undefined : wrapper.metatype?.name;
  throw new ConfigurationError(
    `The adapter ${type ?? 'that a factory makes'} is request-scoped, or injects something that is; but ` +
      `there is one for the whole application, and no request when it delivers. What it needs of the request goes into ` +
      `the emission: payload, metadata, or the option context.`,
  );
}

function claim(name: string, names: Set<string>): void {
  if (names.has(name)) {
    throw new ConfigurationError(
      `Two adapters are registered with the name '${name}'; give one of them another.`,
    );
  }
  names.add(name);
}

function ownName(adapter: unknown): string {
  const { name, constructor } = (adapter ?? {}) as {
    name?: unknown;
    constructor?: { name?: string };
  };
  if (typeof name === 'string' && name !== '') return name;
  const type = constructor?.name;
  return type === undefined || type === 'Object' || type === '' ? 'adapter' : type;
}

/** A class registered twice without names is told apart by a number. */
function free(name: string, names: Set<string>): string {
  let candidate = name;
  for (let n = 2; names.has(candidate); n++) candidate = `${name}#${n}`;
  names.add(candidate);
  return candidate;
}
