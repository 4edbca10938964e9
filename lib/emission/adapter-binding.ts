import type { EmissionAdapter } from './adapter.js';
import type { ConsumerSettings } from './consumer.options.js';

/**
 * An adapter together with the name and the options it is to be served with.
 *
 * Any provider of the application that is an instance of this class, or carries one under {@link BOUND_ADAPTER}, is found
 * at start-up and served by the pipeline: that is how a gateway or a broker module brings its adapter along.
 */
export class AdapterBinding {
  constructor(
    readonly adapter: EmissionAdapter,
    /** Without one, the adapter's own name or its class's is taken, numbered where it is taken already. */
    readonly name: string | undefined,
    readonly consumer: ConsumerSettings = {},
  ) {}
}

/** Where a provider that is something else besides carries its binding. */
export const BOUND_ADAPTER: unique symbol = Symbol('nestjs-emissions:bound-adapter');

/**
 * The token every adapter is provided under, in a module of its own each, so that the testing kit can put something else in
 * the place of all of them before any is built.
 */
export const EMISSION_ADAPTER: symbol = Symbol('nestjs-emissions:adapter');
