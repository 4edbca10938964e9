import type { EmissionAdapter } from './emission/adapter.js';
import type { ConsumerSettings } from './emission/consumer.options.js';
import type { Destination } from './emission/destination.js';
import { consumerOptionsOf, type PipelineOptions } from './pipeline/pipeline.options.js';

/** An adapter as the pipeline serves it: it takes every name, and says itself what it is interested in. */
export function adapterDestination(
  name: string,
  adapter: EmissionAdapter,
  consumer: ConsumerSettings,
  defaults: PipelineOptions,
): Destination {
  return {
    kind: 'adapter',
    name,
    adapter,
    options: consumerOptionsOf(defaults, consumer, `The adapter ${name}: consumer`),
    priority: 0,
    pattern: '**',
    once: false,
    matches: () => true,
  };
}
