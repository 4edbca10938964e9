import type { ConsumerOptions, ConsumerSettings } from '../emission/consumer.options.js';
import { consumerOptions } from '../emission/consumer.options.js';
import { ConfigurationError } from '../emission/emission.errors.js';
import type { Emission } from '../emission/emission.js';
import { overDefaults } from '../emission/over-defaults.js';
import {
  callback,
  defineOptions,
  flag,
  integer,
  text,
  type OptionSet,
} from '../emission/option-set.js';

/** How a handler wants to be served. What is left out is taken from the module's `pipeline` options. */
export interface HandlerOptions<T = any> extends Pick<
  ConsumerSettings,
  'concurrency' | 'capacity' | 'overflow' | 'retry' | 'timeoutMs'
> {
  /** Names the handler in signals, logs and lists; unique. Default: `Class.method`, with `#2` … for further decorators. */
  id?: string;
  /**
   * Tells whether the handler wants an emission that its pattern takes. Called inside the commit, before anything is
   * queued: keep it quick and pure. A throw skips the emission for this handler and is signalled as its failure; that of a
   * critical handler fails the commit.
   */
  interested?: (emission: Emission<T>) => boolean;
  /**
   * How many emissions the handler works on at once; those of one key still go one behind another.
   * @default 16
   */
  concurrency?: number;
  /**
   * Who is served first when several have work: 0 (first) to 9.
   * @default 0
   */
  priority?: number;
  /**
   * Takes the first emission and no other; a failure uses it up.
   * @default false
   */
  once?: boolean;
  /**
   * Runs the handler inside the commit, before anything is handed over: a throw fails the commit, nothing leaves, and the
   * request answers with the error. What it emits goes out with the commit. Critical handlers run one after another, in
   * the order of their priority, and cannot have a queue, retries, concurrency or `once`.
   * @default false
   */
  critical?: boolean;
}

/** {@link HandlerOptions} with their defaults. */
export type ResolvedHandlerOptions = ConsumerOptions &
  Pick<HandlerOptions, 'id' | 'interested'> &
  Required<Pick<HandlerOptions, 'priority' | 'once' | 'critical'>>;

const { batchSize: _batchSize, maxWaitMs: _maxWaitMs, ...served } = consumerOptions.rules;

/** The rules of {@link HandlerOptions}; those it shares with consumers are filled in from the pipeline's. */
export const handlerOptions: OptionSet<HandlerOptions> = defineOptions<HandlerOptions>({
  ...(served as never as Parameters<
    typeof defineOptions<
      Omit<HandlerOptions, 'id' | 'interested' | 'priority' | 'once' | 'critical'>
    >
  >[0]),
  concurrency: integer({ min: 1, default: 16 }),
  id: text(),
  interested: callback(),
  priority: integer({ min: 0, max: 9, default: 0 }),
  once: flag(false),
  critical: flag(false),
});

const NOT_IF_CRITICAL = ['concurrency', 'capacity', 'overflow', 'retry', 'once'] as const;

/** @throws ConfigurationError naming the handler and the option that is wrong */
export function resolveHandlerOptions(
  settings: HandlerOptions,
  defaults: Partial<ConsumerSettings>,
  path: string,
): ResolvedHandlerOptions {
  handlerOptions.resolve(settings, path);
  for (const option of NOT_IF_CRITICAL) {
    if (settings.critical === true && settings[option] !== undefined) {
      throw new ConfigurationError(
        `${path} is critical, and runs inside the commit: it cannot have the option "${option}". Remove one of the two.`,
      );
    }
  }
  const { capacity, overflow, retry, timeoutMs } = overDefaults(defaults, settings);
  const shared = { capacity, overflow, retry, timeoutMs } as HandlerOptions;
  const resolved = handlerOptions.resolve({ ...settings, ...shared }, path);
  return { ...resolved, batchSize: 1, maxWaitMs: 0 } as ResolvedHandlerOptions;
}
