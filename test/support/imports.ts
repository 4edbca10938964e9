import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';

/** The repository's top folder. */
export const root: string = join(import.meta.dirname, '..', '..');

/** What one file takes from another: `import`, `export … from`, or `import()`. */
export interface Import {
  kind: 'import' | 'export' | 'dynamic';
  specifier: string;
}

const statements: [Import['kind'], RegExp][] = [
  ['import', /^\s*import\s+(?:[\w$*{}\s,]+?\s+from\s+)?['"]([^'"]+)['"]/gm],
  [
    'export',
    /^\s*export\s+(?:type\s+)?(?:\*(?:\s+as\s+[\w$]+)?|\{[^}]*\})\s*from\s+['"]([^'"]+)['"]/gm,
  ],
  ['dynamic', /^(?!\s*(?:\*|\/\/)).*?\bimport\(\s*['"]([^'"]+)['"]/gm],
];

/** Every import of a source, type-only ones too. */
export function importsOf(source: string): Import[] {
  return statements.flatMap(([kind, pattern]) =>
    [...source.matchAll(pattern)].map((match) => ({ kind, specifier: match[1]! })),
  );
}

/** The sources under lib/, by their path within it. */
export function librarySources(): Map<string, string> {
  const lib = join(root, 'lib');
  const files = readdirSync(lib, { recursive: true, encoding: 'utf8' })
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => file.endsWith('.ts'))
    .sort();
  return new Map(files.map((file) => [file, readFileSync(join(lib, file), 'utf8')]));
}

/** The file, by its path within lib/, that a relative specifier means; undefined for a package. */
export function resolveWithin(file: string, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) return undefined;
  return posix.join(posix.dirname(file), specifier).replace(/\.js$/, '.ts');
}
