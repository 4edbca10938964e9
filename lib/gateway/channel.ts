import { assertName } from '../emission/emission-name.js';
import type { Emission } from '../emission/emission.js';
import { quote } from '../emission/quote.js';
import { ChannelError } from './gateway.errors.js';

/** The channels an emission is heard on, within its tenant: everything, its topic, its name. */
export function channelsOf(emission: Emission): string[] {
  const channels = ['*', `event/${emission.name}`];
  if (emission.topic !== undefined) channels.push(`topic/${emission.topic}`);
  return channels;
}

/**
 * Checks what a client calls a channel: `*`, `topic/<topic>` or `event/<name>`.
 *
 * @throws ChannelError saying what it takes
 */
export function checkChannel(given: unknown): string {
  if (given === '*') return given;
  if (typeof given === 'string') {
    const slash = given.indexOf('/');
    const kind = given.slice(0, slash);
    const name = given.slice(slash + 1);
    if (kind === 'topic' && /^[^\s/*]{1,128}$/.test(name)) return given;
    if (kind === 'event' && isName(name)) return given;
  }
  throw new ChannelError(
    `A channel is '*', 'topic/<topic>' or 'event/<name>', but got ${quote(given)}.`,
  );
}

/** The socket.io room of a tenant's channel. Only the server makes these names; no two tenants' can meet. */
export function roomOf(tenant: string, channel: string): string {
  return `emissions:${tenant.length}:${tenant}:${channel}`;
}

/** Whether a room was made by {@link roomOf}. */
export function isChannelRoom(room: string): boolean {
  return room.startsWith('emissions:');
}

function isName(name: string): boolean {
  try {
    assertName(name);
    return true;
  } catch {
    return false;
  }
}
