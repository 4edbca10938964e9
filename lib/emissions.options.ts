import type { ExecutionContext } from '@nestjs/common';
import {
  bufferOptions,
  httpOptions,
  type BufferOptions,
  type HttpOptions,
} from './buffer/buffer.options.js';
import type { UnitContext } from './buffer/unit-of-work.js';
import { ConfigurationError } from './emission/emission.errors.js';
import {
  callback,
  defineOptions,
  integer,
  nested,
  oneOf,
  text,
  value,
  type OptionSet,
} from './emission/option-set.js';
import type { TopicMap } from './emission/topics.js';
import { ledgerOptions, type LedgerOptions } from './pipeline/ledger.options.js';
import {
  pipelineOptions,
  type PipelineOptions,
  type PipelineSettings,
} from './pipeline/pipeline.options.js';

/** How the tenant of an emission is found. */
export interface TenancyOptions {
  /** The metadata field, or else the payload field, that names the tenant (a string or a number). */
  key: string;
}

/** Where the checked options are found. */
export const EMISSIONS_OPTIONS: symbol = Symbol('nestjs-emissions:options');

/** What happens to an emission made while no buffer is active. */
export type UnbufferedPolicy = 'drop' | 'deliver' | 'throw';

/** The module's options with their defaults. */
export interface ResolvedEmissionsOptions {
  /** Topics and the names that belong to each; see `defineTopics`. */
  topics: TopicMap;
  /** How the tenant of an emission is found; without it, only `emit`'s option and `context` say it. */
  tenancy?: TenancyOptions;
  /**
   * Works out, from the request, message or operation, what is stamped on every emission of it: called once, when the
   * first one is emitted, so that guards have run by then. With `EmissionsMiddleware`, the context has no class and handler.
   */
  context?: (context: ExecutionContext) => UnitContext | undefined;
  /** Which requests get a buffer, and which responses commit it. */
  http: HttpOptions;
  /** How much one unit of work may emit. */
  buffer: BufferOptions;
  /** How the pipeline hands over and shuts down, and the defaults of its consumers. */
  pipeline: PipelineOptions;
  /**
   * What `emit` does when no buffer is active: `'drop'` signals, warns once per name and returns `undefined`, `'deliver'`
   * hands over at once, `'throw'` throws a `BufferNotStartedError`.
   * @default 'drop'
   */
  unbuffered: UnbufferedPolicy;
  /**
   * Whether payload and metadata are copied and frozen (`'deep'`), or taken as they are (`'none'`): the caller then owes not
   * to change them.
   * @default 'deep'
   */
  snapshot: 'deep' | 'none';
  /** Remembers what became of each emission at each consumer, for `status` and `find`; without it, nothing is. */
  ledger?: LedgerOptions;
  /**
   * How many handlers deep a cascade may go before it is cut as a loop.
   * @default 16
   */
  maxDepth: number;
}

/** What `forRoot` takes beside {@link EmissionsModuleExtras}, and the factory of `forRootAsync` returns. */
export interface EmissionsOptions extends Partial<
  Omit<ResolvedEmissionsOptions, 'http' | 'buffer' | 'pipeline' | 'ledger'>
> {
  /** Which requests get a buffer, and which responses commit it. */
  http?: Partial<HttpOptions>;
  /** How much one unit of work may emit. */
  buffer?: Partial<BufferOptions>;
  /** How the pipeline hands over and shuts down, and the defaults of its consumers. */
  pipeline?: PipelineSettings;
  /** Remembers what became of each emission at each consumer, for `status` and `find`; without it, nothing is. */
  ledger?: Partial<LedgerOptions>;
}

const tenancyOptions = defineOptions<TenancyOptions>({ key: text() });

/** The rules of {@link EmissionsOptions}. */
export const emissionsOptions: OptionSet<ResolvedEmissionsOptions> =
  defineOptions<ResolvedEmissionsOptions>({
    topics: value<TopicMap>(
      'an object of topics and their names; write it with defineTopics({ … })',
      (topics) => typeof topics === 'object' && topics !== null && !Array.isArray(topics),
      {},
    ),
    tenancy: value<TenancyOptions>('an object { key }', () => true),
    context: callback(),
    http: nested(httpOptions),
    buffer: nested(bufferOptions),
    pipeline: nested(pipelineOptions),
    ledger: value<LedgerOptions>('an object { capacity?, ttlMs? }', () => true),
    unbuffered: oneOf(['drop', 'deliver', 'throw'], 'drop'),
    snapshot: oneOf(['deep', 'none'], 'deep'),
    maxDepth: integer({ min: 1, default: 16 }),
  });

/** Part of the module graph, and not of what a factory makes. */
export const BESIDE_THE_FACTORY: readonly string[] = ['adapters', 'interceptor', 'isGlobal'];

/** @throws ConfigurationError naming the option that is unknown, of the wrong type or impossible */
export function resolveEmissionsOptions(options: EmissionsOptions): ResolvedEmissionsOptions {
  const misplaced = Object.keys(options ?? {}).find((key) => BESIDE_THE_FACTORY.includes(key));
  if (misplaced !== undefined) {
    throw new ConfigurationError(
      `"${misplaced}" is part of the module graph and cannot come from the factory; put it beside it: ` +
        `EmissionsModule.forRootAsync({ ${misplaced}: …, useFactory: … }).`,
    );
  }
  const all = [...Object.keys(emissionsOptions.rules), ...BESIDE_THE_FACTORY, 'imports'];
  const unknown = Object.keys(options ?? {}).find((key) => !all.includes(key));
  if (unknown !== undefined) {
    throw new ConfigurationError(
      `EmissionsModule has no option "${unknown}". It has: ${all.sort().join(', ')}.`,
    );
  }
  const resolved = emissionsOptions.resolve(options as Partial<ResolvedEmissionsOptions>, '');
  if (resolved.ledger !== undefined)
    resolved.ledger = ledgerOptions.resolve(resolved.ledger, 'ledger');
  if (resolved.tenancy !== undefined) {
    resolved.tenancy = tenancyOptions.resolve(resolved.tenancy, 'tenancy');
    if (resolved.tenancy.key === undefined)
      throw new ConfigurationError('tenancy takes { key }, but got no key.');
  }
  return resolved;
}
