import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import { quote } from '../../emission/quote.js';
import { wrongIn, type DeadDeliveries } from '../delivery/delivery.desk.js';
import { durableOptions, type DurableBackend, type DurableOptions } from '../durable.options.js';
import { UsageError } from './usage.error.js';

/** What each command takes besides where the database is. */
const COMMANDS = {
  migrate: { ids: 'none', options: [] },
  status: { ids: 'one', options: ['handler'] },
  failed: { ids: 'any', options: ['handler', 'tenant', 'limit'] },
  retry: { ids: 'any', options: ['handler', 'tenant', 'all'] },
  discard: { ids: 'any', options: ['handler', 'tenant', 'all'] },
} as const;

/** What can be done. */
export type CommandName = keyof typeof COMMANDS;

const WHERE = ['url', 'embedded', 'schema', 'backend'] as const;
const EVERYWHERE = [...WHERE, 'json', 'help', 'version'];

const OPTIONS = {
  url: { type: 'string' },
  embedded: { type: 'string' },
  schema: { type: 'string' },
  backend: { type: 'string' },
  handler: { type: 'string' },
  tenant: { type: 'string' },
  all: { type: 'boolean' },
  limit: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
} as const satisfies ParseArgsOptionsConfig;

/** A command line, understood. */
export interface Invocation {
  readonly command: CommandName;
  readonly ids: readonly string[];
  /** Which dead deliveries are meant; `ids` are among it. */
  readonly filter: DeadDeliveries;
  readonly json: boolean;
  readonly database: DurableOptions;
}

type Values = ReturnType<typeof parse>['values'];

/**
 * Reads a command line.
 *
 * @returns what was asked for instead of a command, too: help, or the version
 * @throws UsageError naming what is wrong with it, and what to write
 */
export function readCommandLine(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Invocation | 'help' | 'version' {
  const { values, positionals } = parse(args);
  const [command, ...ids] = positionals;
  if (values.help === true || (command === 'help' && ids.length === 0)) return 'help';
  if (values.version === true) return 'version';
  if (command === undefined || !Object.hasOwn(COMMANDS, command)) {
    const what = command === undefined ? 'no command' : quote(command);
    throw new UsageError(
      `The command is one of ${Object.keys(COMMANDS).join(', ')}, but got ${what}. See: nestjs-emissions --help`,
    );
  }
  const name = command as CommandName;
  refuseOthers(name, values);
  refuseIds(name, ids);
  return {
    command: name,
    ids,
    filter: filterOf(name, values, ids),
    json: values.json === true,
    database: databaseOf(values, environment),
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true, strict: true });
  } catch (error) {
    // Node says what is wrong in its first sentence.
    const [said] = (error as Error).message.split('. ', 1);
    throw new UsageError(`${said}. See: nestjs-emissions --help`);
  }
}

/** What a command would not heed, it does not take. */
function refuseOthers(command: CommandName, values: Values): void {
  const taken: readonly string[] = [...COMMANDS[command].options, ...EVERYWHERE];
  const other = Object.keys(values).find((option) => !taken.includes(option));
  if (other !== undefined) {
    throw new UsageError(
      `${command} takes no --${other}. It takes: ${taken.map((option) => `--${option}`).join(', ')}.`,
    );
  }
}

/** What follows the command, besides options. */
function refuseIds(command: CommandName, ids: readonly string[]): void {
  const most = { none: 0, one: 1, any: Infinity }[COMMANDS[command].ids];
  if (ids.length > most) {
    throw new UsageError(
      `${command} takes ${most === 0 ? 'no ids' : 'the id of one emission'}, but got ${ids.map(quote).join(' ')}.`,
    );
  }
  const wrong = wrongIn(ids);
  if (wrong !== undefined) throw new UsageError(wrong);
}

function filterOf(command: CommandName, values: Values, ids: readonly string[]): DeadDeliveries {
  const { handler, tenant, all = false, limit } = values;
  const filter: DeadDeliveries = {
    ...(handler !== undefined && { handler: said('handler', handler) }),
    ...(tenant !== undefined && { tenant: said('tenant', tenant) }),
    ...(ids.length > 0 && { ids }),
    ...(limit !== undefined && { limit: countOf(limit) }),
  };
  if (command !== 'retry' && command !== 'discard') return filter;
  const isNarrowed = Object.keys(filter).length > 0;
  if (isNarrowed === all) {
    throw new UsageError(
      all
        ? `${command} takes --all, or ids and --handler and --tenant, but got both.`
        : `${command} takes the ids of emissions, --handler, --tenant, or --all for every dead delivery, but got none. ` +
            `See which there are: nestjs-emissions failed`,
    );
  }
  return filter;
}

function said(option: string, value: string): string {
  if (value !== '') return value;
  throw new UsageError(`--${option} takes a name, but got nothing.`);
}

function countOf(limit: string): number {
  if (/^[1-9]\d{0,5}$/.test(limit)) return Number(limit);
  throw new UsageError(`--limit takes a whole number from 1 to 999999, but got ${quote(limit)}.`);
}

/** @throws UsageError unless exactly one database is named */
function databaseOf(
  { url, embedded, schema, backend }: Values,
  environment: Readonly<Record<string, string | undefined>>,
): DurableOptions {
  if (url !== undefined && embedded !== undefined)
    throw new UsageError('--url and --embedded name two databases; one is needed.');
  const place = url ?? embedded ?? environment['DATABASE_URL'] ?? '';
  if (place === '') {
    throw new UsageError(
      'Which database? Write --url postgres://user@host/name, set DATABASE_URL, or write --embedded <folder>.',
    );
  }
  const given: Partial<DurableOptions> = {
    ...(embedded === undefined ? { connectionString: place } : { embedded: place }),
    ...(schema !== undefined && { schema }),
    ...(backend !== undefined && { backend: backend as DurableBackend }),
    ...{ worker: false, migrate: false, connections: 2 },
  };
  for (const option of ['schema', 'backend'] as const) {
    const rule = durableOptions.rules[option];
    if (given[option] !== undefined && rule.check(given[option], option) === false)
      throw new UsageError(`--${option} takes ${rule.takes}, but got ${quote(given[option])}.`);
  }
  return durableOptions.resolve(given, 'nestjs-emissions');
}
