import type { RecordedEntry } from '../emission/channel-history.js';
import { writeOffset } from './offset.js';

/** What is sent at once: emissions in order, and the channels that carry them. */
export interface Frame {
  readonly channels: readonly string[];
  readonly items: unknown[];
}

/** Puts neighbours on the same channels into one frame each: a follower of several channels gets them in their order. */
export function framesOf(entries: readonly RecordedEntry[], epoch: string): Frame[] {
  const frames: Frame[] = [];
  for (const entry of entries) {
    const last = frames.at(-1);
    const item = itemOf(entry, epoch);
    if (last !== undefined && same(last.channels, entry.channels)) last.items.push(item);
    else frames.push({ channels: entry.channels, items: [item] });
  }
  return frames;
}

/** An emission as clients get it: what was made of it, with its offset. */
export function itemOf({ body, offset }: RecordedEntry, epoch: string): unknown {
  const at = writeOffset(epoch, offset);
  const isRecord =
    typeof body === 'object' && body !== null && !Array.isArray(body) && !ArrayBuffer.isView(body);
  return isRecord ? { ...body, offset: at } : { offset: at, data: body };
}

function same(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((channel, i) => channel === others[i]);
}
