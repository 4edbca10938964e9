/**
 * `npm run sample 01`: runs the sample whose folder starts with that number, building the library
 * and the sample first where a source is newer than what was built from it. `npm start` is sample
 * 01. Without a number, or with an unknown one, it lists the samples there are.
 */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { packageJson, root, run } from './run.mjs';

const folder = join(root, 'sample');
const samples = existsSync(folder)
  ? readdirSync(folder).filter((name) => existsSync(join(folder, name, 'tsconfig.json')))
  : [];

const number = process.argv[2];
const sample = samples.find((name) => number && name.split('-')[0] === number.padStart(2, '0'));
if (sample === undefined) {
  if (number) console.error(`There is no sample ${number}.`);
  console.log('Samples, each run with `npm run sample <number>`:');
  for (const name of samples) console.log(`  ${name.split('-')[0]}  ${title(name)}`);
  process.exit(number ? 1 : 0);
}

const main = join('sample', sample, 'dist', 'main.js');
await buildIfStale('lib', join('dist', 'index.js'), packageJson().scripts.build);
await buildIfStale(
  join('sample', sample, 'src'),
  main,
  `rm -rf sample/${sample}/dist && tsc -p sample/${sample}`,
);
start(main);

async function buildIfStale(sources, built, command) {
  const since = changedAt(built);
  const stale = readdirSync(join(root, sources), { recursive: true })
    .filter((file) => file.endsWith('.ts'))
    .some((file) => changedAt(join(sources, file)) > since);
  if (!stale) return;
  console.log(`Building ${sources}`);
  const { code } = await run(command, { stdio: 'inherit' });
  if (code !== 0) process.exit(code);
}

/** When a file was last written, in ms; 0 when there is none. */
function changedAt(file) {
  return statSync(join(root, file), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function start(file) {
  const child = spawn(process.execPath, ['--enable-source-maps', file], {
    cwd: root,
    stdio: 'inherit',
  });
  // A terminal sends Ctrl-C to the sample itself as well; twice would cut its shutdown short.
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'));
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.once('exit', (code, signal) => {
    process.exit(signal === null ? code : 128 + constants.signals[signal]);
  });
}

/** The first line of the sample's README. */
function title(name) {
  const readme = join(folder, name, 'README.md');
  if (!existsSync(readme)) return name;
  return readFileSync(readme, 'utf8')
    .split('\n', 1)[0]
    .replace(/^#+\s*/, '');
}
