import type { InjectionToken, OptionalFactoryDependency, Type } from '@nestjs/common';
import type { EmissionAdapter } from './emission/adapter.js';
import type { ConsumerSettings } from './emission/consumer.options.js';
import { ConfigurationError } from './emission/emission.errors.js';
import { quote } from './emission/quote.js';

/**
 * What an adapter registered with `{ useClass, options }` injects to get its options:
 * `constructor(@Inject(ADAPTER_OPTIONS) private readonly options: FileOptions)`.
 */
export const ADAPTER_OPTIONS: symbol = Symbol('nestjs-emissions:adapter-options');

/** What every registration may say. */
export interface AdapterServing {
  /** Names the adapter in signals, logs and lists; unique. Default: the adapter's own `name`, else its class, numbered (`#2`) where it is taken. */
  name?: string;
  /** How it is served; what is left out is taken from the module's `pipeline` options. */
  consumer?: ConsumerSettings;
}

/** Nest builds the class; `options` are injected under {@link ADAPTER_OPTIONS}. */
export interface ClassAdapter extends AdapterServing {
  useClass: Type<EmissionAdapter>;
  options?: unknown;
}
/** Nest calls the factory with what `inject` names. */
export interface FactoryAdapter extends AdapterServing {
  useFactory: (...args: any[]) => EmissionAdapter | Promise<EmissionAdapter>;
  inject?: (InjectionToken | OptionalFactoryDependency)[];
}
/** A provider that exists elsewhere in the application serves as an adapter. */
export interface ExistingAdapter extends AdapterServing {
  useExisting: InjectionToken;
}
/** An adapter made by hand. */
export interface ValueAdapter extends AdapterServing {
  useValue: EmissionAdapter;
}

/** An adapter as it is registered: a class, or a Nest custom provider with a name and consumer options. */
export type AdapterRegistration =
  | Type<EmissionAdapter>
  | ClassAdapter
  | FactoryAdapter
  | ExistingAdapter
  | ValueAdapter;

const PROVIDES = ['useClass', 'useFactory', 'useExisting', 'useValue'] as const;
const KEYS: readonly string[] = [...PROVIDES, 'name', 'consumer', 'options', 'inject'];

/** @throws ConfigurationError when a registration is none, with what it takes */
export function checkRegistration(registration: unknown, position: number): AdapterRegistration {
  const at = `adapters[${position}]`;
  if (typeof registration === 'function' && registration.prototype !== undefined)
    return registration as Type<EmissionAdapter>;
  if (typeof registration !== 'object' || registration === null) {
    throw new ConfigurationError(
      `${at} takes a class or { useClass | useFactory | useExisting | useValue, name?, consumer? }, but got ${quote(registration)}.`,
    );
  }
  const unknown = Object.keys(registration).find((key) => !KEYS.includes(key));
  if (unknown !== undefined) {
    throw new ConfigurationError(
      `${at} has no option "${unknown}". It has: ${[...KEYS].sort().join(', ')}.`,
    );
  }
  const given = PROVIDES.filter(
    (key) => key in registration && registration[key as never] !== undefined,
  );
  if (given.length !== 1) {
    throw new ConfigurationError(
      `${at} takes exactly one of ${PROVIDES.join(', ')}, but got ${given.length === 0 ? 'none' : given.join(' and ')}.`,
    );
  }
  const { name, options, inject } = registration as AdapterServing & {
    options?: unknown;
    inject?: unknown;
  };
  if (options !== undefined && given[0] !== 'useClass') {
    throw new ConfigurationError(
      `${at}: "options" goes with useClass; ${given[0]} is given what it needs by you.`,
    );
  }
  if (inject !== undefined && given[0] !== 'useFactory') {
    throw new ConfigurationError(
      `${at}: "inject" goes with useFactory; a class says in its constructor what it injects.`,
    );
  }
  if (name !== undefined && (typeof name !== 'string' || name === '')) {
    throw new ConfigurationError(`${at}.name takes a non-empty string, but got ${quote(name)}.`);
  }
  return registration as AdapterRegistration;
}
