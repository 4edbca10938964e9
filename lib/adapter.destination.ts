import type { EmissionAdapter } from './emission/adapter.js';
import type { ConsumerSettings } from './emission/consumer.options.js';
import type { Destination } from './emission/destination.js';
import { ConfigurationError } from './emission/emission.errors.js';
import { quote } from './emission/quote.js';
import { consumerOptionsOf, type PipelineOptions } from './pipeline/pipeline.options.js';

/**
 * An adapter as the pipeline serves it: it takes every name, and says itself what it is interested in.
 *
 * @throws ConfigurationError when it is no adapter, or its options are wrong
 */
export function adapterDestination(
  name: string,
  adapter: EmissionAdapter,
  consumer: ConsumerSettings,
  defaults: PipelineOptions,
): Destination {
  if (typeof adapter?.deliver !== 'function') {
    throw new ConfigurationError(
      `The adapter '${name}' has no method deliver(batch, context), but is ${quote(adapter)}. Implement EmissionAdapter.`,
    );
  }
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
