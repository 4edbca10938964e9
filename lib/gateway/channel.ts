import { assertName } from '../emission/emission-name.js';
import type { Emission } from '../emission/emission.js';
import { quote } from '../emission/quote.js';
import { ChannelError } from './gateway.errors.js';

const TOPIC = /^[^\s/*]{1,128}$/;
// eslint-disable-next-line no-control-regex
const ENTITY = /^[^\s/*\u0000-\u001f]{1,64}\/[^\s*\u0000-\u001f]{1,128}$/;

/** How many channels an application may put one emission on, beside those it is on anyway. */
const MAX_ENTITIES = 100;

/** The channels an emission is heard on, within its tenant: everything, its name, its topic. */
export function channelsOf(emission: Emission): string[] {
  const channels = ['*', `event/${emission.name}`];
  if (emission.topic !== undefined) channels.push(`topic/${emission.topic}`);
  return channels;
}

/**
 * Checks the channels that the option `channels` gave for an emission: `entity/<type>/<id>`, each once.
 *
 * @throws ChannelError for anything else
 */
export function checkEntities(given: unknown): string[] {
  if (!Array.isArray(given) || given.length > MAX_ENTITIES) {
    throw new ChannelError(
      `The option channels gives an array of up to ${MAX_ENTITIES} names, but gave ${quote(given)}.`,
    );
  }
  for (const channel of given as unknown[]) {
    if (typeof channel === 'string' && isEntity(channel)) continue;
    throw new ChannelError(
      `The option channels gives names such as 'entity/order/1001', but gave ${quote(channel)}.`,
    );
  }
  return [...new Set(given as string[])];
}

/**
 * Checks what a client calls a channel: `*`, `topic/<topic>`, `event/<name>` or `entity/<type>/<id>`.
 *
 * @throws ChannelError saying what it takes
 */
export function checkChannel(given: unknown): string {
  if (given === '*') return given;
  if (typeof given === 'string') {
    const slash = given.indexOf('/');
    const kind = given.slice(0, slash);
    const name = given.slice(slash + 1);
    if (kind === 'topic' && TOPIC.test(name)) return given;
    if (kind === 'event' && isName(name)) return given;
    if (isEntity(given)) return given;
  }
  throw new ChannelError(
    `A channel is '*', 'topic/<topic>', 'event/<name>' or 'entity/<type>/<id>', but got ${quote(given)}.`,
  );
}

/** The socket.io room of a tenant's channel. Only the server makes these names; no two tenants' can meet. */
export function roomOf(tenant: string, channel: string): string {
  return `emissions:${tenant.length}:${tenant}:${channel}`;
}

function isEntity(channel: string): boolean {
  return channel.startsWith('entity/') && ENTITY.test(channel.slice('entity/'.length));
}

function isName(name: string): boolean {
  try {
    assertName(name);
    return true;
  } catch {
    return false;
  }
}
