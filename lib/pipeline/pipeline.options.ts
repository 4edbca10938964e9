import {
  consumerOptions,
  type ConsumerOptions,
  type ConsumerSettings,
  type RetryOptions,
} from '../emission/consumer.options.js';
import { overDefaults } from '../emission/over-defaults.js';
import { defineOptions, milliseconds, type OptionSet } from '../emission/option-set.js';

/** How the pipeline hands over and shuts down, and the defaults of its consumers. */
export interface PipelineOptions extends Omit<ConsumerOptions, 'concurrency' | 'durable'> {
  /**
   * How long a commit waits for room in a full queue whose `overflow` is `'wait'`, in milliseconds, before it fails.
   * @default 5000
   */
  waitTimeoutMs: number;
  /**
   * How long `app.close()` waits for what is pending, in milliseconds; what is left then is counted, reported and dropped.
   * @default 10000
   */
  drainTimeoutMs: number;
}

/** {@link PipelineOptions} as one writes them. */
export type PipelineSettings = Partial<Omit<PipelineOptions, 'retry'>> & {
  /** Whether and how a failed delivery is tried again. */
  retry?: Partial<RetryOptions>;
};

const { concurrency: _concurrency, durable: _durable, ...shared } = consumerOptions.rules;

/** The rules of {@link PipelineOptions}. */
export const pipelineOptions: OptionSet<PipelineOptions> = defineOptions<PipelineOptions>({
  ...(shared as never as Parameters<
    typeof defineOptions<Omit<ConsumerOptions, 'concurrency' | 'durable'>>
  >[0]),
  waitTimeoutMs: milliseconds({ default: 5_000 }),
  drainTimeoutMs: milliseconds({ default: 10_000 }),
});

/**
 * A consumer's own settings over the pipeline's defaults.
 *
 * @throws ConfigurationError naming `path` when one is wrong
 */
export function consumerOptionsOf(
  pipeline: PipelineOptions,
  settings: ConsumerSettings,
  path: string,
): ConsumerOptions {
  consumerOptions.resolve(settings as Partial<ConsumerOptions>, path);
  const { waitTimeoutMs: _wait, drainTimeoutMs: _drain, ...defaults } = pipeline;
  return consumerOptions.resolve(
    overDefaults(defaults, settings) as Partial<ConsumerOptions>,
    path,
  );
}
