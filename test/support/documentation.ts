import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { root } from './imports.js';

/** One block of TypeScript in a page. */
export interface DocumentedCode {
  /** The page, by its path in the repository. */
  readonly page: string;
  readonly line: number;
  /** What the block takes for granted: the comment `<!-- given: … -->` above it. */
  readonly given: string;
  /** The file that it is a part of, and that tests run: the comment `<!-- runs: … -->` above it. */
  readonly runs?: string | undefined;
  readonly code: string;
}

/** One row of a table of options: the comment `<!-- options: HandlerOptions -->` above it says whose. */
export interface TabledOption {
  readonly page: string;
  readonly type: string;
  readonly name: string;
  readonly byDefault: string | undefined;
}

/** The guides; not the reference that `npm run docs` makes of the doc comments, in a folder below. */
export function pages(): string[] {
  return readdirSync(join(root, 'docs'))
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file}`)
    .sort();
}

/** A page as it is written. */
export function textOf(page: string): string {
  return readFileSync(join(root, page), 'utf8');
}

/** Its blocks of TypeScript. */
export function codeOf(page: string): DocumentedCode[] {
  const text = textOf(page);
  const blocks = text.matchAll(
    /(?:<!-- given:\n([^]*?)-->\n+|<!-- runs: (\S+) -->\n+)?^ *```ts\n([^]*?)^ *```$/gm,
  );
  return Array.from(blocks, ({ index, 1: given = '', 2: runs, 3: code }) => ({
    page,
    line: text.slice(0, index).split('\n').length,
    given,
    runs,
    code: code!,
  }));
}

/** The part of a file that a page shows: what stands between `// #region docs` and `// #endregion`. */
export function shownOf(file: string): string {
  const [, region] = /\/\/ #region \w+\n([^]*?)\n*\/\/ #endregion/.exec(textOf(file)) ?? [];
  if (region === undefined) throw new Error(`${file} has no region to show.`);
  return `${region}\n`;
}

/** The rows of its tables of options. */
export function tabledOptionsOf(page: string): TabledOption[] {
  const tables = textOf(page).matchAll(/<!-- options: (\w+) -->\n+((?:^\|.*\n)+)/gm);
  return Array.from(tables).flatMap(([, type, table]) =>
    table!
      .trim()
      .split('\n')
      .slice(2)
      .map((row) => {
        const [, name, byDefault] = row.split(/(?<!\\)\|/);
        return {
          page,
          type: type!,
          name: marked(name!)[0]!,
          byDefault: marked(byDefault!)[0]?.replaceAll('\\|', '|'),
        };
      }),
  );
}

/** The cells of the table whose first heading is the given one; without the marks of code. */
export function tableOf(page: string, heading: string): string[][] {
  const lines = textOf(page).split('\n');
  const cellsOf = (line: string) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim());
  const start = lines.findIndex((line) => cellsOf(line)[0] === heading);
  const rows = lines.slice(start + 2);
  const end = rows.findIndex((line) => !line.startsWith('|'));
  return start < 0 ? [] : rows.slice(0, end).map(cellsOf);
}

/** What is marked as code in a text. */
export function marked(text: string): string[] {
  return Array.from(text.matchAll(/`([^`]+)`/g), ([, code]) => code!);
}

/** Compiles the blocks as modules of the repository's tests; returns what is wrong with them, each with its place. */
export function errorsIn(blocks: readonly DocumentedCode[]): string[] {
  const { options: ours } = ts.parseJsonConfigFileContent(
    ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile).config,
    ts.sys,
    root,
  );
  // Few applications are that strict.
  const options = { ...ours, noEmit: true, exactOptionalPropertyTypes: false };
  const files = new Map(
    blocks.map((block, i) => [join(root, 'test', `documented-${i}.ts`), block] as const),
  );
  const host = ts.createCompilerHost(options);
  const { readFile, fileExists, getSourceFile } = host;
  const textAt = (file: string): string | undefined => {
    const block = files.get(file);
    return block && `${block.given}\n${block.code}\nexport {};\n`;
  };
  host.readFile = (file) => textAt(file) ?? readFile(file);
  host.fileExists = (file) => files.has(file) || fileExists(file);
  host.getSourceFile = (file, target, ...others) => {
    const text = textAt(file);
    return text === undefined
      ? getSourceFile(file, target, ...others)
      : ts.createSourceFile(file, text, target, true);
  };
  const program = ts.createProgram([...files.keys()], options, host);
  return Array.from(files, ([file, { page, line }]) => {
    const source = program.getSourceFile(file);
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)]
      .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
      .map((message) => `${page}:${line}: ${message}`);
  }).flat();
}

/** The fields of each message that is published, by its channel; those that may be absent end in `?`. */
export function messagesOf(file = 'lib/telemetry/channels.ts'): Map<string, string[]> {
  const path = join(root, file);
  const program = ts.createProgram([path], { strict: true, noLib: true, noEmit: true });
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(path)!;
  const all = source.statements.find(
    (each) => ts.isInterfaceDeclaration(each) && each.name.text === 'EmissionsChannels',
  ) as ts.InterfaceDeclaration;
  const messages = checker.getPropertiesOfType(checker.getTypeAtLocation(all));
  return new Map(
    messages.map((channel) => {
      const fields = checker.getPropertiesOfType(checker.getTypeOfSymbolAtLocation(channel, all));
      const names = fields.map(
        ({ name, flags }) => name + ((flags & ts.SymbolFlags.Optional) === 0 ? '' : '?'),
      );
      return [channel.name, names.sort()];
    }),
  );
}

/** Where a link of a page leads to, in the repository. */
export function linksOf(page: string): string[] {
  const links = textOf(page).matchAll(/\]\((?!https?:|#)([^)#]+)[^)]*\)/g);
  return Array.from(links, ([, path]) => join(dirname(page), path!));
}

/** Its links to a heading, of itself or of another page, and whether there is such a heading. */
export function anchorsOf(page: string): [link: string, isThere: boolean][] {
  const links = textOf(page).matchAll(/\]\((?!https?:)([^)#]*)#([^)]+)\)/g);
  return Array.from(links, ([, path, anchor]) => {
    const target = path === '' ? page : join(dirname(page), path!);
    return [`${target}#${anchor!}`, headingsOf(target).includes(anchor!)];
  });
}

/** Its headings, as they are linked to. */
function headingsOf(page: string): string[] {
  return [...textOf(page).matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, '')
      .replaceAll(' ', '-'),
  );
}
