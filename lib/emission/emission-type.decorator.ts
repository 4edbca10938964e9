import 'reflect-metadata';
import { assertName } from './emission-name.js';
import { ConfigurationError } from './emission.errors.js';
import { quote } from './quote.js';

const EMISSION_TYPE = Symbol('nestjs-emissions:emission-type');

/** What `@EmissionType` knows of a class beside its name. */
export interface EmissionTypeOptions<T = unknown> {
  /** Derives the ordering key from an instance; a key given to `emit` goes before it. */
  key?: (event: T) => string | undefined;
  /**
   * Which shape of the class this is; raise it when what is stored for durable handlers no longer fits. A process that has an older
   * one leaves the newer alone.
   * @default 1
   */
  version?: number;
  /**
   * Makes the fields of this version out of those that an older one had, dates, maps and the like made again. Without it,
   * deliveries of another version wait for a process that has it.
   */
  upcast?: (stored: Record<string, unknown>, version: number) => object;
}

/** A class marked with `@EmissionType`. */
export type EmissionClass<T = unknown> = abstract new (...args: never[]) => T;

/** The name and options a class was marked with. */
export interface EmissionTypeDefinition {
  readonly name: string;
  readonly key?: ((event: never) => string | undefined) | undefined;
  readonly version: number;
  readonly upcast?: ((stored: Record<string, unknown>, version: number) => object) | undefined;
}

/**
 * Makes a class an emission of its own: `emit(new OrderCreated(…))` takes name and key from here, and
 * `@OnEmission(OrderCreated)` receives it, as an instance of the class.
 *
 * A subclass is an emission of its own only when it is marked too.
 *
 * @throws ConfigurationError when the name is empty, too long, or holds a wildcard or white space; when the version is no whole
 * number from 1
 */
export function EmissionType<T>(
  name: string,
  options: EmissionTypeOptions<T> = {},
): (target: abstract new (...args: never[]) => T) => void {
  return (target) => {
    try {
      assertName(name);
    } catch (error) {
      throw new ConfigurationError(
        `@EmissionType(${quote(name)}) on ${target.name}: ${(error as Error).message}`,
        {
          cause: error,
        },
      );
    }
    const { key, version = 1, upcast } = options;
    if (!Number.isSafeInteger(version) || version < 1) {
      throw new ConfigurationError(
        `@EmissionType(${quote(name)}) on ${target.name}: version takes a whole number from 1, but got ${quote(version)}.`,
      );
    }
    const definition: EmissionTypeDefinition = { name, key, version, upcast };
    Reflect.defineMetadata(EMISSION_TYPE, definition, target);
  };
}

/** The definition of a marked class, or of an instance's class; `undefined` when it is not marked itself. */
export function emissionTypeOf(target: unknown): EmissionTypeDefinition | undefined {
  const type = typeof target === 'function' ? target : (target as object | null)?.constructor;
  return typeof type === 'function'
    ? (Reflect.getOwnMetadata(EMISSION_TYPE, type) as EmissionTypeDefinition | undefined)
    : undefined;
}
