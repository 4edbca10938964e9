import type { Attributes, Link, Span } from '@opentelemetry/api';
import type { Emission } from '../../emission/emission.js';
import type { TracedCall } from '../../emission/tracing.js';

/** More than SDKs keep by default. */
const MOST_LINKS = 128;
const SYSTEM = { 'messaging.system': 'nestjs-emissions' };

/** What is said about the making of an emission that nothing else is traced around. */
export const CREATION: Attributes = {
  ...SYSTEM,
  'messaging.operation.type': 'create',
  'messaging.operation.name': 'create',
};

/** What is said about a hand-over. */
export function factsOfCommit(emissions: readonly Emission[]): Attributes {
  return {
    ...SYSTEM,
    'messaging.operation.type': 'send',
    'messaging.operation.name': 'commit',
    'messaging.batch.message_count': emissions.length,
    ...factsOfAll(emissions),
  };
}

/** What is said about a call of an adapter or a handler. */
export function factsOfCall({
  kind,
  consumer,
  durable,
  batch,
  context: { attempt },
}: TracedCall): Attributes {
  const isHandler = kind === 'handler';
  return {
    ...SYSTEM,
    'messaging.operation.type': isHandler ? 'process' : 'send',
    'messaging.operation.name': isHandler ? 'handle' : 'deliver',
    'emissions.consumer': consumer,
    'emissions.kind': kind,
    'emissions.attempt': attempt,
    'emissions.durable': durable,
    ...(!isHandler && { 'messaging.batch.message_count': batch.length }),
    ...factsOfAll(batch),
  };
}

/** The emissions that were made in another trace than the span is in: the first of very many. */
export function linksOf(
  span: Span,
  emissions: readonly Emission[],
  madeIn: (emission: Emission) => Link['context'] | undefined,
): Link[] {
  const { traceId } = span.spanContext();
  const links: Link[] = [];
  for (const emission of emissions) {
    if (links.length === MOST_LINKS) break;
    const context = madeIn(emission);
    if (context === undefined || context.traceId === traceId) continue;
    links.push({ context, attributes: { 'messaging.message.id': emission.id } });
  }
  return links;
}

/** What all of them share, and what one alone is. */
function factsOfAll(emissions: readonly Emission[]): Attributes {
  const { id, name, correlationId, depth } = emissions[0]!;
  const share = <K extends keyof Emission>(field: K, value: Emission[K]): boolean =>
    emissions.every((emission) => emission[field] === value);
  return {
    ...(emissions.length === 1 && { 'messaging.message.id': id }),
    ...(share('name', name) && { 'messaging.destination.name': name }),
    ...(share('correlationId', correlationId) && {
      'messaging.message.conversation_id': correlationId,
    }),
    ...(share('depth', depth) && { 'emissions.depth': depth }),
  };
}
