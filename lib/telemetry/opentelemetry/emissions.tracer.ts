import {
  context,
  diag,
  INVALID_SPAN_CONTEXT,
  isSpanContextValid,
  SpanKind,
  trace,
  type Context,
  type Span,
  type SpanContext,
  type Tracer as OpenTelemetryTracer,
  type TracerProvider,
} from '@opentelemetry/api';
import type { Emission } from '../../emission/emission.js';
import type { TraceContext, TracedCall, Tracer } from '../../emission/tracing.js';
import { ActiveSpan } from './active-span.js';
import { CREATION, factsOfCall, factsOfCommit, linksOf } from './span-facts.js';
import { spanContextOf, traceContextOf } from './trace-context.js';

const NONE: Span = trace.wrapSpanContext(INVALID_SPAN_CONTEXT);
const KINDS = {
  adapter: ['deliver', SpanKind.PRODUCER],
  handler: ['handle', SpanKind.CONSUMER],
} as const;

/**
 * Makes spans of what one application does with its emissions:
 *
 * ```
 *   the code that emits ─▶ commit emissions ─┬─▶ handle <handler> ─▶ commit emissions ─▶ …
 *      (its span is stamped                  └─▶ deliver <adapter>
 *       on the emission)  ┄┄┄┄┄┄┄┄┄┄ link ┄┄┄┄┄▶ a trace of its own for each durable attempt,
 *                                                and for a batch of several traces
 * ```
 *
 * What is emitted where no span is active gets one, `create emission`, that does nothing but begin its trace. Whether spans are
 * recorded is up to the sampler; for those that are not, nothing is put together but their context.
 */
export class EmissionsTracer implements Tracer {
  readonly #tracer: OpenTelemetryTracer;
  /** In which span emissions were handed over; let go with them. */
  readonly #commits = new WeakMap<Emission, SpanContext>();
  /** What was stamped last: a unit of work mostly emits in one span. */
  #stamped: SpanContext | undefined;
  #stamp: TraceContext | undefined;

  constructor(provider: TracerProvider = trace) {
    this.#tracer = provider.getTracer('nestjs-emissions');
  }

  stamp(): TraceContext | undefined {
    const active = trace.getActiveSpan()?.spanContext();
    const made = isValid(active) ? active : this.#create();
    if (!isValid(made)) return undefined;
    if (made !== this.#stamped) {
      this.#stamp = traceContextOf(made);
      this.#stamped = made;
    }
    return this.#stamp;
  }

  commit<T>(emissions: readonly Emission[], work: () => T): T {
    const active = context.active();
    const isTraced = isValid(trace.getSpanContext(active));
    const made = isTraced ? undefined : spanContextOf(emissions[0]!);
    const around = made === undefined ? active : trace.setSpanContext(active, made);
    const span = this.#start('commit emissions', SpanKind.PRODUCER, around, (recorded) => {
      recorded.setAttributes(factsOfCommit(emissions));
      recorded.addLinks(linksOf(recorded, emissions, spanContextOf));
    });
    const own = span.spanContext();
    if (isSpanContextValid(own)) for (const emission of emissions) this.#commits.set(emission, own);
    return new ActiveSpan(span).run(trace.setSpan(around, span), work);
  }

  call<T>(call: TracedCall, work: () => T): T {
    const [name, kind] = KINDS[call.kind];
    const around = this.#around(call);
    const span = this.#start(`${name} ${call.consumer}`, kind, around, (recorded) => {
      recorded.setAttributes(factsOfCall(call));
      recorded.addLinks(linksOf(recorded, call.batch, (emission) => this.#madeIn(emission)));
    });
    const signal = span.isRecording() ? () => call.context.signal : undefined;
    return new ActiveSpan(span, signal).run(trace.setSpan(around, span), work);
  }

  /** The span of the commit goes on; what was stored, and what comes from several traces, begins a trace of its own. */
  #around({ durable, batch: [first, ...others] }: TracedCall): Context {
    const active = context.active();
    const parent = durable ? undefined : this.#committedIn(first!);
    const isOneTrace = others.every(
      (other) => this.#committedIn(other)?.traceId === parent?.traceId,
    );
    return parent !== undefined && isOneTrace
      ? trace.setSpanContext(active, parent)
      : trace.deleteSpan(active);
  }

  #committedIn(emission: Emission): SpanContext | undefined {
    return this.#commits.get(emission) ?? spanContextOf(emission);
  }

  #madeIn(emission: Emission): SpanContext | undefined {
    return spanContextOf(emission) ?? this.#commits.get(emission);
  }

  #create(): SpanContext {
    const span = this.#start('create emission', SpanKind.PRODUCER, context.active(), (recorded) =>
      recorded.setAttributes(CREATION).end(),
    );
    return span.spanContext();
  }

  /** A sampler or a processor that throws is to harm nobody. */
  #start(name: string, kind: SpanKind, around: Context, describe: (span: Span) => void): Span {
    let span = NONE;
    try {
      span = this.#tracer.startSpan(name, { kind }, around);
      if (span.isRecording()) describe(span);
    } catch (error) {
      diag.error(`The span '${name}' could not be made.`, error);
    }
    return span;
  }
}

function isValid(made: SpanContext | undefined): made is SpanContext {
  return made !== undefined && isSpanContextValid(made);
}
