import { afterAll } from '@jest/globals';
import { context, type Attributes, type Tracer } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  InMemorySpanExporter,
  SimpleSpanProcessor,
  TracerProvider,
  type ReadableSpan,
  type Sampler,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace';

/** Spans as they were exported, and what a test asks about them. */
export interface Spans extends AsyncDisposable {
  readonly provider: TracerProvider;
  /** A tracer of the application's own. */
  readonly tracer: Tracer;
  /** Those that have ended, in that order. */
  readonly all: readonly ReadableSpan[];
  named(name: string): ReadableSpan[];
  /** The only one of its name. */
  one(name: string): ReadableSpan;
  /** The names from a span up to the root of its trace. */
  pathOf(span: ReadableSpan): string[];
  /** The names of the spans that a span is linked to. */
  linkedTo(span: ReadableSpan): string[];
}

/** Has contexts follow asynchronous calls in this file of tests, as an SDK sees to. */
export function followContexts(): void {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  afterAll(() => context.disable());
}

/** A provider that exports to memory. */
export function spans(options: { sampler?: Sampler; processors?: SpanProcessor[] } = {}): Spans {
  const exporter = new InMemorySpanExporter();
  const { sampler, processors = [] } = options;
  const provider = new TracerProvider({
    ...(sampler !== undefined && { sampler }),
    spanProcessors: [new SimpleSpanProcessor({ exporter }), ...processors],
  });
  const byId = (spanId: string | undefined) =>
    exporter.getFinishedSpans().find((span) => span.spanContext().spanId === spanId);
  const named = (name: string) => exporter.getFinishedSpans().filter((span) => span.name === name);
  return {
    provider,
    tracer: provider.getTracer('application'),
    get all() {
      return exporter.getFinishedSpans();
    },
    named,
    one: (name) => {
      const [span, ...others] = named(name);
      if (span !== undefined && others.length === 0) return span;
      const names = exporter.getFinishedSpans().map((each) => each.name);
      throw new Error(`There is not one span '${name}' among: ${names.join(', ')}.`);
    },
    pathOf: (span) => {
      const path: string[] = [];
      for (let at: ReadableSpan | undefined = span; at; at = byId(at.parentSpanContext?.spanId))
        path.push(at.name);
      return path;
    },
    linkedTo: ({ links }) => links.map((link) => byId(link.context.spanId)?.name ?? 'unknown'),
    [Symbol.asyncDispose]: () => provider.shutdown(),
  };
}

/** What a span says, without what it says of every message. */
export function factsOf({ attributes }: ReadableSpan): Attributes {
  const { 'messaging.system': _system, ...facts } = attributes;
  return facts;
}
