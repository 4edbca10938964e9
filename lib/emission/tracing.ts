import type { DeliveryContext } from './adapter.js';
import type { Emission } from './emission.js';

/** Where an emission comes from, as W3C Trace Context writes it. It stands among the metadata. */
export interface TraceContext {
  readonly traceparent: string;
  readonly tracestate?: string;
}

/** One call of an adapter or a handler, as a tracer is told of it. */
export interface TracedCall {
  readonly kind: 'adapter' | 'handler';
  /** The adapter's name or the handler's id. */
  readonly consumer: string;
  /** Whether what it is called with was stored, by this process or another one. */
  readonly durable: boolean;
  /** One for a handler, one or more for an adapter. */
  readonly batch: readonly Emission[];
  readonly context: Pick<DeliveryContext, 'attempt' | 'signal'>;
}

/** Follows emissions from where they are made to where they are handled; the port that OpenTelemetry stands behind. Must not throw. */
export interface Tracer {
  /** What to stamp on an emission that is being made; nothing when there is nothing to say. */
  stamp(): TraceContext | undefined;
  /** Called around each hand-over of emissions; gives back, or throws, what the work does. */
  commit<T>(emissions: readonly Emission[], work: () => T): T;
  /** Called around each call of an adapter or a handler, in its async context; gives back, or throws, what the work does. */
  call<T>(call: TracedCall, work: () => T): T;
}

/** Holds the tracer of one application. Asked once for each emission, commit and call; without a tracer nothing else is done. */
export class Tracing {
  tracer: Tracer | undefined = undefined;
}
