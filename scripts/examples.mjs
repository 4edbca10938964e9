/**
 * Brings the examples that tests run into the guides that show them: what stands between `// #region` and `// #endregion` of a
 * file goes into the block below `<!-- runs: that file -->`. test/docs.spec.ts sees to it that this was done.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './run.mjs';

for (const name of readdirSync(join(root, 'docs')).filter((file) => file.endsWith('.md'))) {
  const page = join(root, 'docs', name);
  const before = readFileSync(page, 'utf8');
  const after = before.replaceAll(
    /^<!-- runs: (\S+) -->\n+```ts\n[^]*?^```$/gm,
    (_, file) => `<!-- runs: ${file} -->\n\n\`\`\`ts\n${regionOf(file)}\n\`\`\``,
  );
  if (after === before) continue;
  writeFileSync(page, after);
  console.log(`docs/${name} written`);
}

function regionOf(file) {
  const text = readFileSync(join(root, file), 'utf8');
  return /\/\/ #region \w+\n([^]*?)\n*\/\/ #endregion/.exec(text)[1];
}
