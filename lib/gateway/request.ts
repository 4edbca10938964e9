import { quote } from '../emission/quote.js';
import { checkChannel } from './channel.js';
import { ChannelError } from './gateway.errors.js';

const MAX_OFFSET = 128;

/** What a client asks for. */
export interface ChannelRequest {
  readonly channel: string;
  readonly after: string | undefined;
}

/** The answer to `subscribe` and `unsubscribe`. */
export type ChannelAnswer =
  | {
      ok: true;
      channel: string;
      /** Where the tenant stands now; give it, or that of the last emission that came, as `after` when subscribing again. */
      offset: string;
      /** Whether everything since `after` has come, or is coming before anything newer. */
      recovered: boolean;
    }
  | Refusal;

/** The answer to `presence`. */
export type PresenceAnswer = { ok: true; channel: string; present: Presence[] } | Refusal;

/** Somebody who follows a channel. */
export interface Presence {
  /** `undefined` for those whom `authenticate` gave no subject. */
  readonly subject: string | undefined;
  /** On how many connections. */
  readonly count: number;
}

/** The answer when something is not done. */
export interface Refusal {
  ok: false;
  error: { code: string; message: string };
}

/** @throws ChannelError for anything but `{ channel, after? }` */
export function readRequest(message: unknown): ChannelRequest {
  if (typeof message !== 'object' || message === null || Array.isArray(message)) {
    throw new ChannelError(`The message must be { channel }, but got ${quote(message)}.`);
  }
  const { channel, after, ...rest } = message as { channel?: unknown; after?: unknown };
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined)
    throw new ChannelError(
      `The message has no field ${quote(unknown)}; it takes channel and after.`,
    );
  if (after !== undefined && after !== null && !isOffset(after)) {
    throw new ChannelError(
      `The field after must be the offset of an emission or of an answer, but got ${quote(after)}.`,
    );
  }
  return { channel: checkChannel(channel), after: after ?? undefined };
}

/** The reason of whatever was thrown. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : quote(error);
}

function isOffset(after: unknown): after is string {
  return typeof after === 'string' && after.length <= MAX_OFFSET;
}
