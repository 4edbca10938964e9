import type { ConsumerOptions, ConsumerSettings } from '../emission/consumer.options.js';
import { consumerOptions } from '../emission/consumer.options.js';
import { DURABLE_ATTEMPTS, DURABLE_RETRY, type OnDead } from '../emission/durable.settings.js';
import { ConfigurationError } from '../emission/emission.errors.js';
import type { Emission } from '../emission/emission.js';
import { overDefaults } from '../emission/over-defaults.js';
import {
  callback,
  defineOptions,
  flag,
  integer,
  oneOf,
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
  /**
   * Stores each emission for the handler, as part of the commit, until it has taken it: nothing that was committed is lost when a
   * process dies, and any process of the application may work it off, at least once. Needs `EmissionsDurableModule`, and a host
   * that is not request-scoped. Keeps its order per key across all processes. Has no queue in memory (`capacity`, `overflow`), and
   * tries again for longer: its `retry` pauses for 1 s, then 4 s, 16 s … up to 5 minutes, unless it says otherwise.
   * @default false
   */
  durable?: boolean;
  /**
   * A durable handler: how often a delivery is tried in all, before it is kept as dead.
   * @default 5
   */
  maxAttempts?: number;
  /**
   * A durable handler: whether the emissions of a key wait behind one that is dead (`'block'`), until somebody retries or discards
   * it, or are taken without it (`'skip'`).
   * @default 'block'
   */
  onDead?: OnDead;
  /**
   * A durable handler: how many deliveries of one tenant it works on at once, in all processes together, so that a tenant with many
   * leaves room to the others. Without it, a tenant may take all of `concurrency`. Emissions without a tenant are not counted; those
   * with a key and those without are counted apart. Processes that look at the same moment may go over it.
   */
  tenantConcurrency?: number;
}

/** {@link HandlerOptions} with their defaults. */
export type ResolvedHandlerOptions = ConsumerOptions &
  Pick<HandlerOptions, 'id' | 'interested' | 'tenantConcurrency'> &
  Required<
    Pick<HandlerOptions, 'priority' | 'once' | 'critical' | 'durable' | 'maxAttempts' | 'onDead'>
  >;

const {
  batchSize: _batchSize,
  maxWaitMs: _maxWaitMs,
  durable: _durable,
  ...served
} = consumerOptions.rules;

/** The rules of {@link HandlerOptions}; those it shares with consumers are filled in from the pipeline's. */
export const handlerOptions: OptionSet<HandlerOptions> = defineOptions<HandlerOptions>({
  ...(served as never as Parameters<
    typeof defineOptions<
      Pick<HandlerOptions, 'concurrency' | 'capacity' | 'overflow' | 'retry' | 'timeoutMs'>
    >
  >[0]),
  concurrency: integer({ min: 1, default: 16 }),
  id: text(),
  interested: callback(),
  priority: integer({ min: 0, max: 9, default: 0 }),
  once: flag(false),
  critical: flag(false),
  durable: flag(false),
  maxAttempts: integer({ min: 1, max: 1_000, default: DURABLE_ATTEMPTS }),
  onDead: oneOf(['block', 'skip'], 'block'),
  tenantConcurrency: integer({ min: 1 }),
});

const NOT_IF_CRITICAL = [
  'concurrency',
  'capacity',
  'overflow',
  'retry',
  'once',
  'durable',
] as const;
const NOT_IF_DURABLE = ['capacity', 'overflow', 'once'] as const;
const ONLY_IF_DURABLE = ['maxAttempts', 'onDead', 'tenantConcurrency'] as const;

/** Whether a handler can go by it; what is none is refused with the other options. */
export function isHandlerId(id: unknown): id is string {
  return typeof id === 'string' && id !== '';
}

/** @throws ConfigurationError naming the handler and the option that is wrong */
export function resolveHandlerOptions(
  settings: HandlerOptions,
  defaults: Partial<ConsumerSettings>,
  path: string,
): ResolvedHandlerOptions {
  handlerOptions.resolve(settings, path);
  refuseMixed(settings, path);
  if (settings.durable === true)
    defaults = { timeoutMs: defaults.timeoutMs ?? 0, retry: DURABLE_RETRY };
  const { capacity, overflow, retry, timeoutMs } = overDefaults(defaults, settings);
  const shared = { capacity, overflow, retry, timeoutMs } as HandlerOptions;
  const resolved = handlerOptions.resolve({ ...settings, ...shared }, path);
  return { ...resolved, batchSize: 1, maxWaitMs: 0 } as ResolvedHandlerOptions;
}

/** @throws ConfigurationError for options that do not go together */
function refuseMixed(settings: HandlerOptions, path: string): void {
  const refuse = (option: string, why: string): never => {
    throw new ConfigurationError(`${path} ${why} the option "${option}". Remove one of the two.`);
  };
  for (const option of NOT_IF_CRITICAL) {
    if (settings.critical === true && settings[option] !== undefined && settings[option] !== false)
      refuse(option, 'is critical, and runs inside the commit: it cannot have');
  }
  for (const option of NOT_IF_DURABLE) {
    if (settings.durable === true && settings[option] !== undefined && settings[option] !== false)
      refuse(option, 'is durable, and has no queue in memory: it cannot have');
  }
  if (settings.durable === true) {
    if (settings.retry?.attempts === undefined) return;
    throw new ConfigurationError(
      `${path} is durable: how often it is tried is said with "maxAttempts", not with "retry.attempts".`,
    );
  }
  for (const option of ONLY_IF_DURABLE) {
    if (settings[option] === undefined) continue;
    throw new ConfigurationError(
      `${path} has the option "${option}", which is for durable handlers. Remove it, or add durable: true.`,
    );
  }
}
