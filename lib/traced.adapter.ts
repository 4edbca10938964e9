import type { DeliveryContext, EmissionAdapter } from './emission/adapter.js';
import type { Emission } from './emission/emission.js';
import type { Tracing } from './emission/tracing.js';

/** An adapter whose calls are shown to the tracer of the application, as soon as there is one. */
export class TracedAdapter implements EmissionAdapter {
  /** Absent when the adapter has none: then nobody is asked. */
  declare readonly interested?: (emission: Emission) => boolean;

  constructor(
    readonly traced: EmissionAdapter,
    private readonly durable: boolean,
    private readonly tracing: Tracing,
  ) {
    if (traced.interested !== undefined)
      this.interested = (emission) => traced.interested!(emission);
  }

  deliver(batch: readonly Emission[], context: DeliveryContext): void | Promise<void> {
    const { tracer } = this.tracing;
    if (tracer === undefined) return this.traced.deliver(batch, context);
    const { durable } = this;
    const { consumer } = context;
    return tracer.call({ kind: 'adapter', consumer, durable, batch, context }, () =>
      this.traced.deliver(batch, context),
    );
  }
}
