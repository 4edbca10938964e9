import {
  context,
  createTraceState,
  isSpanContextValid,
  trace,
  type Context,
  type SpanContext,
} from '@opentelemetry/api';
import type { Emission } from '../../emission/emission.js';
import type { TraceContext } from '../../emission/tracing.js';

const TRACEPARENT = /^([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-.*)?$/;

/**
 * The context an emission was made in, for work that is to go on in its trace: that of the active code with the emission's span in
 * the place of the active one; or the active one alone, when the emission says nothing. For what comes from elsewhere:
 *
 * ```ts
 * const received = fromCloudEvent(event);
 * await context.with(contextOf(received), () =>
 *   emissions.run(() => emissions.emit(received.name, received.payload)),
 * );
 * ```
 */
export function contextOf(
  emission: Pick<Emission, 'metadata'>,
  around: Context = context.active(),
): Context {
  const made = spanContextOf(emission);
  return made === undefined ? around : trace.setSpanContext(around, made);
}

/** The span an emission was made in, as its metadata says; nothing when they do not say it as W3C Trace Context has it. */
export function spanContextOf({ metadata }: Pick<Emission, 'metadata'>): SpanContext | undefined {
  const { traceparent, tracestate } = metadata;
  const parts = typeof traceparent === 'string' ? TRACEPARENT.exec(traceparent) : null;
  if (parts === null) return undefined;
  const [, version, traceId, spanId, flags, more] = parts as unknown as string[];
  // Later versions may say more.
  if (version === 'ff' || (version === '00' && more !== undefined)) return undefined;
  const made: SpanContext = {
    traceId: traceId!,
    spanId: spanId!,
    traceFlags: Number.parseInt(flags!, 16) & 1,
    isRemote: true,
    // oxlint-disable-next-line typescript/no-deprecated -- its successor is in a package of the SDK, which nobody needs to have
    ...(typeof tracestate === 'string' && { traceState: createTraceState(tracestate) }),
  };
  return isSpanContextValid(made) ? made : undefined;
}

/** The same the other way round. */
export function traceContextOf(made: SpanContext): TraceContext {
  const { traceId, spanId, traceFlags } = made;
  const traceparent = `00-${traceId}-${spanId}-0${traceFlags & 1}`;
  const tracestate = made.traceState?.serialize() ?? '';
  return tracestate === '' ? { traceparent } : { traceparent, tracestate };
}
