import type { RecordedEntry } from '../../emission/channel-history.js';
import { readEntry, type WrittenEntry } from '../../emission/entry-text.js';

/** What `XRANGE` answers, with the number of each. */
export function readStream(answer: unknown): RecordedEntry[] {
  return (answer as [id: string, fields: string[]][]).map(([id, fields]) =>
    readEntry(JSON.parse(fields[1]!) as WrittenEntry, Number(id.slice(0, id.indexOf('-')))),
  );
}

/** What was published: the epoch and the entries, numbered from the first. */
export function readMessage(message: string): { epoch: string; entries: RecordedEntry[] } {
  const { epoch, first, entries } = JSON.parse(message) as {
    epoch: string;
    first: number;
    entries: WrittenEntry[];
  };
  return { epoch, entries: entries.map((entry, i) => readEntry(entry, first + i)) };
}
