import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { isOfDatabase, reasonOf } from '../database/database-failure.js';
import { DeliveryDesk } from '../delivery/delivery.desk.js';
import { DatabaseUnavailableError, UnknownHandlerError } from '../durable.errors.js';
import { PgBossStore } from '../pg-boss/pg-boss.store.js';
import { ownerOf } from '../delivery/queue-name.js';
import { readCommandLine, type Invocation } from './command-line.js';
import { deskCommands, migrate, type Answer } from './commands.js';
import { HELP } from './help.js';
import { UsageError } from './usage.error.js';

/** Where a program writes, line by line. */
export interface Terminal {
  out(text: string): void;
  error(text: string): void;
}

/**
 * Does what a command line says.
 *
 * @returns the exit code: 0 it is done, 1 it could not be, 2 the command line is wrong
 */
export async function run(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  terminal: Terminal,
): Promise<number> {
  // Programs read what is on the other stream.
  const say = (message: unknown): void => terminal.error(String(message));
  Logger.overrideLogger({ log: () => {}, warn: say, error: say });
  try {
    const read = readCommandLine(args, environment);
    if (typeof read === 'string') {
      terminal.out(read === 'help' ? HELP : ownVersion());
      return 0;
    }
    return tell(await carryOut(read, terminal), read, terminal);
  } catch (error) {
    terminal.error(`nestjs-emissions: ${said(error)}`);
    return error instanceof UsageError ? 2 : 1;
  }
}

/** What an application would have to write mends no command line. */
function said(error: unknown): string {
  if (error instanceof DatabaseUnavailableError) return said(error.cause);
  return `${isOfDatabase(error) ? 'The database refuses, or is not there: ' : ''}${reasonOf(error)}`;
}

async function carryOut(invocation: Invocation, terminal: Terminal): Promise<Answer> {
  const { command, database } = invocation;
  if (command === 'migrate') return migrate(invocation, (message) => terminal.error(message));
  refuseNoFolder(database.embedded);
  const store = new PgBossStore(database);
  await store.open();
  try {
    const desk = new DeliveryDesk(store, (handler) => queuesIn(store, handler));
    return await deskCommands[command](desk, invocation);
  } finally {
    await store.close();
  }
}

function tell(answer: Answer, { command, json }: Invocation, terminal: Terminal): number {
  const { data, text, missing = [] } = answer;
  if (json) terminal.out(JSON.stringify(data, null, 2));
  else if (text !== '') terminal.out(text);
  const what = command === 'status' ? 'Nothing is stored, any more,' : 'No dead delivery is there';
  for (const id of missing) terminal.error(`nestjs-emissions: ${what} of ${id}.`);
  return missing.length === 0 ? 0 : 1;
}

/** The handlers of all applications: whoever mends needs none of them. */
async function queuesIn(store: PgBossStore, handler: string | undefined): Promise<string[]> {
  const queues = await store.queues();
  if (handler === undefined) return queues;
  const own = queues.filter((queue) => ownerOf(queue) === handler);
  if (own.length > 0) return own;
  throw new UnknownHandlerError(handler, [...new Set(queues.map(ownerOf))].sort());
}

/** A folder that is not there would be made into an empty database. */
function refuseNoFolder(embedded: unknown): void {
  if (typeof embedded !== 'string' || existsSync(join(embedded, 'PG_VERSION'))) return;
  throw new UsageError(
    `--embedded takes the folder of an embedded database, but there is none in '${embedded}'.`,
  );
}

function ownVersion(): string {
  const file = join(import.meta.dirname, '..', '..', '..', 'package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
