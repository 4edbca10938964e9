import { DeliveryDesk, type MendedDelivery } from '../delivery/delivery.desk.js';
import type { Delivery } from '../delivery/delivery.js';
import { migrateTables } from '../pg-boss/pg-boss.migration.js';
import type { CommandName, Invocation } from './command-line.js';
import { duration, plain, table } from './table.js';

/** What a command found or did. */
export interface Answer {
  /** For programs. */
  readonly data: unknown;
  /** For people. */
  readonly text: string;
  /** Ids that nothing was found of. */
  readonly missing?: readonly string[];
}

/** Commands that look into the tables as they are. */
export type DeskCommand = Exclude<CommandName, 'migrate'>;

/** Makes or migrates the tables. */
export async function migrate(
  { database }: Invocation,
  progress: (message: string) => void,
): Promise<Answer> {
  const migration = await migrateTables(database, progress);
  const { before, now } = migration;
  const tables = `tables of durable deliveries in the schema '${database.schema}'`;
  const text =
    before === undefined
      ? `Made the ${tables}, of version ${now}.`
      : before === now
        ? `The ${tables} are of version ${now} already.`
        : `Migrated the ${tables} from version ${before} to ${now}.`;
  return { data: { schema: database.schema, ...migration }, text };
}

/** The commands on what is stored, each as it reads. */
export const deskCommands: Record<
  DeskCommand,
  (desk: DeliveryDesk, invocation: Invocation) => Promise<Answer>
> = {
  status: (desk, invocation) =>
    invocation.ids.length > 0 ? ofOne(desk, invocation) : ofAll(desk, invocation),

  async failed(desk, { ids, filter }) {
    const { limit = 100 } = filter;
    const found = await desk.failed({ ...filter, limit });
    const text = ids.length > 0 ? found.map(inFull).join('\n\n') : listed(found, limit);
    return { data: found, text, missing: missingOf(ids, found) };
  },

  async retry(desk, { ids, filter }) {
    const retried = await desk.retry(filter);
    const missing = missingOf(ids, retried);
    return { data: { retried, missing }, text: mended('Retried', retried), missing };
  },

  async discard(desk, { ids, filter }) {
    const discarded = await desk.discard(filter);
    const missing = missingOf(ids, discarded);
    return { data: { discarded, missing }, text: mended('Discarded', discarded), missing };
  },
};

async function ofAll(desk: DeliveryDesk, { filter, database }: Invocation): Promise<Answer> {
  const loads = await desk.loads(filter.handler);
  const sorted = loads.sort((a, b) => (a.handler < b.handler ? -1 : 1));
  if (sorted.length === 0)
    return { data: [], text: `The schema '${database.schema}' knows no durable handler yet.` };
  const rows = sorted.map((load) => {
    const { handler, waiting, delayed, running, dead, blockedKeys, oldestMs } = load;
    const oldest = oldestMs > 0 ? duration(oldestMs) : '-';
    return [handler, waiting, delayed, running, dead, blockedKeys, oldest];
  });
  const headings = ['HANDLER', 'WAITING', 'DELAYED', 'RUNNING', 'DEAD', 'BLOCKED KEYS', 'OLDEST'];
  return { data: sorted, text: table(headings, rows) };
}

async function ofOne(desk: DeliveryDesk, { ids, filter }: Invocation): Promise<Answer> {
  const all = await desk.status(ids[0]!);
  const found = all.filter(({ handler }) => (filter.handler ?? handler) === handler);
  const rows = found.map((delivery) => [
    ...[delivery.handler, delivery.state, attemptsOf(delivery), delivery.storedAt.toISOString()],
    delivery.state === 'waiting'
      ? `due ${delivery.dueAt.toISOString()}`
      : (delivery.endedAt?.toISOString() ?? '-'),
    lastErrorOf(delivery),
  ]);
  const headings = ['HANDLER', 'STATE', 'ATTEMPTS', 'STORED', 'ENDED', 'LAST ERROR'];
  const text = found.length === 0 ? '' : table(headings, rows);
  return { data: found, text, missing: missingOf(ids, found) };
}

function listed(found: readonly Delivery[], limit: number): string {
  if (found.length === 0) return 'None is dead.';
  const rows = found.map((delivery) => [
    ...[delivery.id, delivery.handler, delivery.emission, delivery.tenant ?? '-'],
    ...[delivery.key ?? '-', attemptsOf(delivery), delivery.endedAt?.toISOString() ?? '-'],
    lastErrorOf(delivery),
  ]);
  const headings = [
    'ID',
    'HANDLER',
    'EMISSION',
    'TENANT',
    'KEY',
    'ATTEMPTS',
    'DEAD SINCE',
    'LAST ERROR',
  ];
  const more = found.length < limit ? '' : `\nThese are the latest ${limit}; --limit shows more.`;
  return table(headings, rows) + more;
}

function inFull(delivery: Delivery): string {
  const { id, handler, emission, tenant, key, storedAt, endedAt, errors } = delivery;
  const head = `${id} of '${plain(emission)}' is dead at ${plain(handler)} after ${attemptsOf(delivery)} attempts`;
  const facts = [
    ...(tenant === undefined ? [] : [`tenant ${plain(tenant)}`]),
    ...(key === undefined ? [] : [`key ${plain(key)}`]),
    `stored ${storedAt.toISOString()}`,
    `given up ${endedAt?.toISOString() ?? 'at an unknown time'}`,
  ];
  const said = errors.map(({ attempt, at, name, message, stack }) => {
    const lines = (stack ?? `${name}: ${message}`).split('\n').map(plain);
    return [`  attempt ${attempt}, ${at}`, ...lines.map((line) => `    ${line}`)].join('\n');
  });
  return [head, `  ${facts.join(', ')}`, ...said].join('\n');
}

function mended(verb: string, deliveries: readonly MendedDelivery[]): string {
  if (deliveries.length === 0) return `${verb} none.`;
  const handlers = [...new Set(deliveries.map(({ handler }) => handler))].sort();
  const counts = handlers.map((handler) => {
    const count = deliveries.filter((each) => each.handler === handler).length;
    return `${count} of ${plain(handler)}`;
  });
  return `${verb} ${counts.join(', ')}.`;
}

function missingOf(ids: readonly string[], found: readonly { id: string }[]): string[] {
  const there = new Set(found.map(({ id }) => id));
  return [...new Set(ids.map((id) => id.toLowerCase()))].filter((id) => !there.has(id));
}

function attemptsOf({ attempts, maxAttempts }: Delivery): string {
  return `${attempts}/${maxAttempts}`;
}

function lastErrorOf({ errors }: Delivery): string {
  const last = errors.at(-1);
  return last === undefined ? '-' : `${last.name}: ${last.message}`;
}
