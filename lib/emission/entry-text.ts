import type { ChannelEntry, RecordedEntry } from './channel-history.js';

/** An entry as it is kept and sent between processes: channels, and what clients get, or its bytes. */
export interface WrittenEntry {
  c: readonly string[];
  b?: unknown;
  x?: string;
}

/** Writes an entry as JSON. Bytes are kept as such where they are all that clients get. */
export function writeEntry({ channels, body }: ChannelEntry): string {
  const written: WrittenEntry = ArrayBuffer.isView(body)
    ? {
        c: channels,
        x: Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('base64'),
      }
    : { c: channels, b: body };
  return JSON.stringify(written);
}

/** The entry of that offset, as it was written. */
export function readEntry({ c, b, x }: WrittenEntry, offset: number): RecordedEntry {
  return { offset, channels: c, body: x === undefined ? b : Buffer.from(x, 'base64') };
}
