import type { HistoryPosition } from '../emission/channel-history.js';

/** What clients call an offset: the epoch and the number, as one string that they need not understand. */
export function writeOffset(epoch: string, offset: number): string {
  return `${epoch}:${offset}`;
}

/** `undefined` for what is none. */
export function readOffset(given: string): HistoryPosition | undefined {
  const colon = given.lastIndexOf(':');
  const offset = Number(given.slice(colon + 1));
  if (colon < 1 || !/^\d{1,16}$/.test(given.slice(colon + 1)) || !Number.isSafeInteger(offset))
    return undefined;
  return { epoch: given.slice(0, colon), offset };
}
