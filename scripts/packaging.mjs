/**
 * Packs the package as it would be published, looks at what is in it, and puts it to work in fresh applications
 * (test/packaging): installed by npm from the tarball, compiled by TypeScript against it, and run on the oldest Node that
 * `engines` admits and on this one. The last line it prints says how large the package is.
 */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root, run } from './run.mjs';

/** The oldest Node of each line that `engines` names; the other is the one that runs this. */
const OLDEST = '22.12.0';
const LARGEST = 1_000_000;
const NPM = 'npm install --no-audit --no-fund --prefer-offline --no-package-lock --loglevel=error';

const applications = join(root, 'test', 'packaging');
const folder = mkdtempSync(join(tmpdir(), 'nestjs-emissions-packed-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));

const packed = await pack();
const complaints = whatDoesNotBelong(packed);
if (complaints.length === 0) {
  const tarball = join(folder, packed.filename);
  const nodes = [process.execPath, await oldest()];
  const shared = readdirSync(applications).filter((name) => name.endsWith('.ts'));
  const names = readdirSync(applications).filter((name) => !name.endsWith('.ts'));
  const results = await Promise.all(names.map((name) => build(name, tarball, shared)));
  complaints.push(...results.flat());
  // One behind another: what is measured against time-outs should have the machine.
  for (const name of complaints.length > 0 ? [] : names) {
    for (const node of nodes) {
      // oxlint-disable-next-line no-await-in-loop
      complaints.push(...(await start(name, node)));
    }
  }
}

if (complaints.length > 0) {
  console.error(complaints.join('\n'));
  process.exitCode = 1;
} else {
  const { size, unpackedSize, entryCount } = packed;
  console.log(
    `${kilobytes(size)} packed, ${kilobytes(unpackedSize)} unpacked, ${entryCount} files`,
  );
}

async function pack() {
  const { code, output } = await run(
    `npm pack --json --ignore-scripts --loglevel=error --pack-destination '${folder}'`,
  );
  if (code !== 0) throw new Error(output);
  // Some versions of npm answer with an array, others with an object; warnings may stand before it.
  const answer = JSON.parse(output.slice(output.search(/^[[{]/m)));
  return Object.values(answer)[0];
}

/** Every source has its code, types and map in there; beside these, there is what people read. */
function whatDoesNotBelong({ files, size }) {
  const sources = readdirSync(join(root, 'lib'), { recursive: true })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => `dist/${file.replace(/\.ts$/, '')}`);
  const expected = [
    ...['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md'],
    ...sources.flatMap((file) => [`${file}.js`, `${file}.d.ts`, `${file}.js.map`]),
  ];
  const found = files.map(({ path }) => path);
  return [
    ...found
      .filter((path) => !expected.includes(path))
      .map((path) => `${path} does not belong into the package`),
    ...expected
      .filter((path) => !found.includes(path))
      .map((path) => `${path} is missing in the package`),
    ...(size > LARGEST ? [`The package has ${size} bytes, more than ${LARGEST}`] : []),
  ];
}

/** Downloads Node itself, as the package `node` does in its install script. */
async function oldest() {
  const name = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
  const place = join(folder, 'node');
  mkdirSync(place);
  const { code, output } = await run(`cd '${place}' && ${NPM} --prefix . ${name}@${OLDEST}`);
  if (code !== 0) throw new Error(output);
  return join(place, 'node_modules', name, 'bin', 'node');
}

async function build(name, tarball, shared) {
  const place = join(folder, name);
  cpSync(join(applications, name), place, { recursive: true });
  for (const file of shared) cpSync(join(applications, file), join(place, 'src', file));
  const installed = await run(`cd '${place}' && ${NPM} --prefix . '${tarball}'`);
  if (installed.code !== 0) return [`${name} cannot be installed:\n${installed.output}`];
  const compiled = await run(`cd '${place}' && tsc`);
  return compiled.code === 0 ? [] : [`${name} does not compile:\n${compiled.output}`];
}

async function start(name, node) {
  const { code, output } = await run(
    `cd '${join(folder, name)}' && '${node}' --trace-uncaught dist/main.js`,
  );
  const version = node === process.execPath ? process.version : `v${OLDEST}`;
  return code === 0 && /^works$/m.test(output)
    ? []
    : [`${name} does not work on Node ${version} (exit code ${code}):\n${output}`];
}

function kilobytes(bytes) {
  return `${Math.round(bytes / 1_000)} kB`;
}
