import type { ChannelEntry, RecordedEntry } from '../../emission/channel-history.js';

/** As it is kept: channels, and what clients get, or its bytes. */
interface Written {
  c: readonly string[];
  b?: unknown;
  x?: string;
}

/** Writes an entry as JSON. Bytes are kept as such where they are all that clients get. */
export function writeEntry({ channels, body }: ChannelEntry): string {
  const written: Written = ArrayBuffer.isView(body)
    ? {
        c: channels,
        x: Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('base64'),
      }
    : { c: channels, b: body };
  return JSON.stringify(written);
}

/** The entry of that offset, as it was written. */
export function readEntry({ c, b, x }: Written, offset: number): RecordedEntry {
  return { offset, channels: c, body: x === undefined ? b : Buffer.from(x, 'base64') };
}

/** What `XRANGE` answers, with the number of each. */
export function readStream(answer: unknown): RecordedEntry[] {
  return (answer as [id: string, fields: string[]][]).map(([id, fields]) =>
    readEntry(JSON.parse(fields[1]!) as Written, Number(id.slice(0, id.indexOf('-')))),
  );
}

/** What was published: the epoch and the entries, numbered from the first. */
export function readMessage(message: string): { epoch: string; entries: RecordedEntry[] } {
  const { epoch, first, entries } = JSON.parse(message) as {
    epoch: string;
    first: number;
    entries: Written[];
  };
  return { epoch, entries: entries.map((entry, i) => readEntry(entry, first + i)) };
}
