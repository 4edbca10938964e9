import { Injectable } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import { AdapterBinding, type BringsAdapter } from './emission/adapter-binding.js';
import { ConfigurationError } from './emission/emission.errors.js';
import { quote } from './emission/quote.js';

/** Finds the adapters of the application, wherever they are registered, and sees to it that their names are unique. */
@Injectable()
export class AdapterExplorer {
  constructor(private readonly discovery: DiscoveryService) {}

  /**
   * In the order they are registered, each with its name.
   *
   * @throws ConfigurationError when two registrations have one name, or something is no adapter
   */
  explore(): (AdapterBinding & { readonly name: string })[] {
    const bindings = this.discovery
      .getProviders()
      .filter(({ isAlias }) => !isAlias)
      .map((wrapper) => bindingOf(wrapper))
      .filter((binding) => binding !== undefined);
    const names = new Set<string>();
    for (const { name } of bindings) if (name !== undefined) claim(name, names);
    return bindings.map(({ adapter, name, consumer }) => {
      const own = name ?? free(ownName(adapter), names);
      if (typeof adapter?.deliver !== 'function') {
        throw new ConfigurationError(
          `The adapter '${own}' has no method deliver(batch, context), but is ${quote(adapter)}. Implement EmissionAdapter.`,
        );
      }
      return new AdapterBinding(adapter, own, consumer) as AdapterBinding & {
        readonly name: string;
      };
    });
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
