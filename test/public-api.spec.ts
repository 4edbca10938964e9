import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { root } from './support/imports.js';

const folder = join(root, 'test', 'api');
const reports = readdirSync(folder).map(
  (file) => [file, readFileSync(join(folder, file), 'utf8')] as const,
);

/** The exports of a report that have no doc comment, and the methods of its classes; what an interface demands is told of there. */
function undocumented(report: string): string[] {
  const exported = [
    ...report.matchAll(/^\/\/ @public \(undocumented\)\nexport (?:abstract )?\w+ (\w+)/gm),
  ].map(([, name]) => name!);
  const classes = [
    ...report.matchAll(/^export (?:abstract )?class (\w+)(?!.* implements ).*\{\n[^]*?^\}/gm),
  ];
  const methods = classes.flatMap(([text, name]) =>
    [...text!.matchAll(/^ {4}\/\/ \(undocumented\)\n {4}(?:static )?(?:protected )?(\w+)\(/gm)].map(
      ([, method]) => `${name!}.${method!}`,
    ),
  );
  return [...exported, ...methods];
}

describe('Every export', () => {
  it.each(reports)('has a doc comment, and so have the methods of classes: %s', (_, report) => {
    expect(undocumented(report)).toEqual([]);
  });

  it('without one would be found', () => {
    const report = [
      ...[
        '// @public (undocumented)',
        'export class A {',
        '    // (undocumented)',
        '    b(): void;',
        '}',
      ],
      ...[
        '// @public',
        'export class C implements D {',
        '    // (undocumented)',
        '    use(): void;',
        '}',
      ],
    ].join('\n');
    expect(undocumented(report)).toEqual(['A', 'A.b']);
  });
});
