import type { EmissionAdapter } from './emission/adapter.js';
import {
  consumerOptions,
  type ConsumerOptions,
  type ConsumerSettings,
} from './emission/consumer.options.js';
import { DURABLE_ATTEMPTS, DURABLE_RETRY } from './emission/durable.settings.js';
import type { Destination } from './emission/destination.js';
import { ConfigurationError } from './emission/emission.errors.js';
import { quote } from './emission/quote.js';
import type { Tracing } from './emission/tracing.js';
import { consumerOptionsOf, type PipelineOptions } from './pipeline/pipeline.options.js';
import { TracedAdapter } from './traced.adapter.js';

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
  tracing?: Tracing,
): Destination {
  if (typeof adapter?.deliver !== 'function') {
    throw new ConfigurationError(
      `The adapter '${name}' has no method deliver(batch, context), but is ${quote(adapter)}. Implement EmissionAdapter.`,
    );
  }
  return {
    kind: 'adapter',
    name,
    adapter:
      tracing === undefined
        ? adapter
        : new TracedAdapter(adapter, consumer?.durable === true, tracing),
    options:
      consumer?.durable === true
        ? durableOptionsOf(name, consumer)
        : consumerOptionsOf(defaults, consumer, pathOf(name)),
    priority: 0,
    pattern: '**',
    once: false,
    matches: () => true,
  };
}

const NOT_IF_DURABLE = ['capacity', 'overflow', 'maxWaitMs'] as const;

/** A durable adapter has no queue that the pipeline's defaults would be for. */
function durableOptionsOf(name: string, consumer: ConsumerSettings): ConsumerOptions {
  const odd = NOT_IF_DURABLE.find((option) => consumer[option] !== undefined);
  if (odd !== undefined) {
    throw new ConfigurationError(
      `${pathOf(name)} is durable, and has no queue in memory: it cannot have the option "${odd}". Remove one of the two.`,
    );
  }
  const retry = { attempts: DURABLE_ATTEMPTS, ...DURABLE_RETRY, ...consumer.retry };
  return consumerOptions.resolve({ ...consumer, retry } as Partial<ConsumerOptions>, pathOf(name));
}

function pathOf(name: string): string {
  return `The adapter ${name}: consumer`;
}
