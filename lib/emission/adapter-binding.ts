import type { EmissionAdapter } from './adapter.js';
import type { ConsumerSettings } from './consumer.options.js';

/**
 * An adapter together with the name and the options it is to be served with.
 *
 * Any provider of the application that is an instance of this class, or whose class brings one along
 * ({@link BringsAdapter}), is found at start-up and served by the pipeline: that is how a gateway or a broker module brings its adapter along.
 *
 * It closes when Nest closes its module, which may be before the last requests have been delivered; one that must not is
 * registered instead, `EmissionsModule.forFeature({ adapters: [{ useExisting: … }] })`.
 */
export class AdapterBinding {
  constructor(
    readonly adapter: EmissionAdapter,
    /** Without one, the adapter's own name or its class's is taken, numbered where it is taken already. */
    readonly name: string | undefined,
    readonly consumer: ConsumerSettings = {},
  ) {}
}

/** What a provider implements that is something else besides, such as a gateway; looked for on its class. */
export interface BringsAdapter {
  readonly emissionsAdapter: AdapterBinding;
}

/**
 * The token every adapter is provided under, in a module of its own each, so that the testing kit can put something else in
 * the place of all of them before any is built.
 */
export const EMISSION_ADAPTER: symbol = Symbol('nestjs-emissions:adapter');
