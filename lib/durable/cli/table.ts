/** Longer than a line of a terminal should be given to one thing. */
const WIDEST = 80;

/** Lines of cells, below their headings; numbers stand to the right. */
export function table(
  headings: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  const lines = [headings, ...rows.map((row) => row.map((cell) => plain(String(cell))))];
  const widths = headings.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)));
  const isNumber = headings.map((_, i) => rows.every((row) => typeof row[i] === 'number'));
  return lines
    .map((line) =>
      line
        .map((cell, i) => (isNumber[i] ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** On one line, and without what a terminal would obey: keys and messages of errors come from anywhere. */
export function plain(text: string): string {
  const line = text.replaceAll(/[\s\p{Cc}\p{Cf}]+/gu, ' ').trim();
  return line.length > WIDEST ? `${line.slice(0, WIDEST - 1)}…` : line;
}

/** A while, by its largest unit. */
export function duration(ms: number): string {
  if (ms < 60_000) return `${Math.floor(ms / 1_000)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min`;
  if (ms < 2 * 86_400_000) return `${Math.floor(ms / 3_600_000)} h`;
  return `${Math.floor(ms / 86_400_000)} d`;
}
