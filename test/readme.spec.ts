import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';

const root = new URL('../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');

describe('the README', () => {
  it('shows the example that the sample runs, to the letter', () => {
    const sample = read('sample/02-your-first-emission/src/main.ts');
    const [, region] = /\/\/ #region readme\n([^]*?)\n\/\/ #endregion/.exec(sample)!;
    expect(read('README.md')).toContain(`\`\`\`ts\n${region}\n\`\`\``);
    const code = region!.split('\n').filter((line) => line !== '' && !line.startsWith('import'));
    expect(code.length).toBeLessThanOrEqual(25);
  });

  it('names only npm scripts, folders and files there are', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const text = ['README.md', 'CONTRIBUTING.md'].map(read).join('\n');
    for (const [, script] of text.matchAll(/npm run ([\w:]+)/g))
      expect(Object.keys(scripts)).toContain(script);
    for (const [, path] of text.matchAll(/\]\((?!https?:)([^)#]+)\)/g)) {
      expect(() => read(path!.endsWith('.md') ? path! : `${path}/README.md`)).not.toThrow();
    }
  });
});
