import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import ts from 'typescript';
import { root } from './imports.js';

/** One option as its interface documents it. */
export interface DocumentedOption {
  readonly name: string;
  /** What the doc comment says beside its tags. */
  readonly text: string;
  /** What stands behind `@default`, as it is written. */
  readonly byDefault: string | undefined;
  readonly isOptional: boolean;
}

/** An exported `const x: OptionSet<T>`, and what `T` documents. */
export interface DocumentedOptions {
  /** The file, by its path within lib/. */
  readonly file: string;
  /** The name of the constant. */
  readonly rules: string;
  /** The name of the interface. */
  readonly type: string;
  readonly options: readonly DocumentedOption[];
}

const lib = join(root, 'lib');

function optionFiles(): string[] {
  return readdirSync(lib, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.options.ts'))
    .sort()
    .map((file) => join(lib, file));
}

/** Every set of rules in lib/, with the interface it is for; read from the sources by TypeScript itself. */
export function documentedOptions(): DocumentedOptions[] {
  const program = ts.createProgram(optionFiles(), {
    ...ts.parseJsonConfigFileContent({}, ts.sys, root).options,
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.NodeNext,
    strict: true,
    exactOptionalPropertyTypes: true,
    types: ['node'],
    skipLibCheck: true,
    noEmit: true,
  });
  const checker = program.getTypeChecker();
  const found: DocumentedOptions[] = [];
  for (const file of optionFiles()) {
    ts.forEachChild(program.getSourceFile(file)!, (node) => {
      if (!ts.isVariableStatement(node)) return;
      for (const { name, type } of node.declarationList.declarations) {
        if (type === undefined || !/^OptionSet<\w+>$/.test(type.getText())) continue;
        const [argument] = (type as ts.TypeReferenceNode).typeArguments!;
        found.push({
          file: relative(lib, file),
          rules: name.getText(),
          type: argument!.getText(),
          options: checker
            .getPropertiesOfType(checker.getTypeFromTypeNode(argument!))
            .map((property) => documented(property, checker)),
        });
      }
    });
  }
  return found;
}

/** The interfaces of lib's options files whose name ends in Options, whether they have rules or not. */
export function optionInterfaces(): string[] {
  return optionFiles().flatMap((file) =>
    [...(ts.sys.readFile(file) ?? '').matchAll(/^export (?:interface|type) (\w+Options)\b/gm)].map(
      ([, name]) => name!,
    ),
  );
}

function documented(property: ts.Symbol, checker: ts.TypeChecker): DocumentedOption {
  const tag = property.getJsDocTags(checker).find(({ name }) => name === 'default');
  return {
    name: property.name,
    text: ts.displayPartsToString(property.getDocumentationComment(checker)),
    byDefault: tag && ts.displayPartsToString(tag.text),
    isOptional: (property.flags & ts.SymbolFlags.Optional) !== 0,
  };
}
