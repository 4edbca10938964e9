/**
 * `npm test`: everything the project asks of itself, one step after another, and how many passed.
 * A step is one passed or one failed, a step with jest as many as it has tests. What a step prints
 * is shown when it fails; of a step that `says` something, its last line otherwise. The last line is `N passed, N failed` (and `, N skipped`, if any).
 *
 * `npm test -- <pattern>` is for daily work: jest alone, on the sources, with these arguments.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { packageJson, root, run } from './run.mjs';
import { bringUpServices } from './services.mjs';

const { scripts } = packageJson();
const jest = scripts['test:unit'];

await bringUpServices();

const args = process.argv.slice(2);
if (args.length > 0) {
  const quoted = args.map((arg) => `'${arg.replaceAll("'", String.raw`'\''`)}'`).join(' ');
  const { code } = await run(`${jest} ${quoted}`, { stdio: 'inherit' });
  process.exit(code);
}

const samples = existsSync(join(root, 'sample'))
  ? readdirSync(join(root, 'sample')).filter((name) =>
      existsSync(join(root, 'sample', name, 'tsconfig.json')),
    )
  : [];

const steps = [
  { name: 'format', command: scripts['format:check'] },
  { name: 'lint', command: scripts.lint },
  { name: 'types', command: scripts.typecheck },
  { name: 'build', command: scripts.build },
  { name: 'publint', command: 'publint --strict', onDist: true },
  { name: 'attw', command: 'attw --pack . --profile esm-only', onDist: true },
  { name: 'API reports', command: 'node scripts/api.mjs', onDist: true },
  { name: 'API reference', command: `${scripts.docs} --emit none` },
  {
    name: 'applications of the package',
    command: 'node scripts/packaging.mjs',
    onDist: true,
    says: true,
  },
  ...samples.map((name) => ({
    name: `sample ${name}`,
    command: `tsc -p sample/${name}`,
    onDist: true,
  })),
  { name: 'tests on lib', command: jest, isJest: true },
  {
    name: 'tests on dist',
    command: `${jest} --config test/jest.dist.json`,
    isJest: true,
    onDist: true,
  },
];

/** Whether jest shows its progress as it goes; where nobody watches, only failures are shown. */
const live = process.stdout.isTTY || Boolean(process.env.CI);

const reports = mkdtempSync(join(tmpdir(), 'nestjs-emissions-'));
process.once('exit', () => rmSync(reports, { recursive: true, force: true }));

const total = { passed: 0, failed: 0, skipped: 0 };
const failedSteps = [];
const skippedTests = [];
let built = false;

console.log(`Node ${process.version}\n`);
for (const step of steps) {
  if (step.onDist && !built) {
    total.skipped++;
    console.log(line('skipped', step.name, 'there is no build'));
    continue;
  }
  if (step.isJest && live) console.log(`\n${step.name}`);
  const start = performance.now();
  const result = step.isJest ? await runJest(step) : await runStep(step);
  const seconds = `${((performance.now() - start) / 1000).toFixed(1)} s`;
  for (const key of Object.keys(total)) total[key] += result.counts[key];

  const ok = result.counts.failed === 0;
  const more = step.isJest ? sum(result.counts) : step.says && ok ? lastLine(result.output) : '';
  console.log(line(ok ? 'ok' : 'FAILED', step.name, `${seconds.padEnd(10)}${more}`.trimEnd()));
  if (step.name === 'build') built = ok;
  if (!ok) {
    failedSteps.push(step.name);
    if (result.output) console.log(`\n$ ${step.command}\n${result.output.trimEnd()}\n`);
  }
}

if (skippedTests.length > 0) console.log(`\nSkipped tests:\n${skippedTests.join('\n')}`);
if (failedSteps.length > 0) console.log(`\nFailed: ${failedSteps.join(', ')}`);
console.log(`\n${sum(total)}`);
process.exitCode = total.failed > 0 ? 1 : 0;

async function runStep({ command }) {
  const { code, output } = await run(command);
  return {
    output,
    counts: { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 },
  };
}

/** Counts the tests from jest's own report, so that a suite that cannot even start is a failure. */
async function runJest({ name, command }) {
  const file = join(reports, `${name.replaceAll(' ', '-')}.json`);
  const { code, output } = await run(`${command} --ci --json --outputFile='${file}'`, {
    stdio: live ? ['ignore', 'ignore', 'inherit'] : 'pipe',
  });
  const counts = { passed: 0, failed: 0, skipped: 0 };
  if (existsSync(file)) {
    const report = JSON.parse(readFileSync(file, 'utf8'));
    counts.passed = report.numPassedTests;
    counts.failed = report.numFailedTests + report.numRuntimeErrorTestSuites;
    counts.skipped = report.numPendingTests + report.numTodoTests;
    skippedTests.push(...skipped(name, report));
  }
  // Jest can also fail as a whole: it crashed, found no test at all, or was killed.
  if (code !== 0 && counts.failed === 0) counts.failed = 1;
  return { output, counts };
}

function skipped(step, report) {
  return report.testResults.flatMap((suite) =>
    suite.assertionResults
      .filter(({ status }) => status === 'pending' || status === 'todo')
      .map(({ fullName }) => `  ${step}: ${relative(root, suite.name)}: ${fullName}`),
  );
}

function lastLine(text) {
  return text.trimEnd().split('\n').at(-1);
}

function line(state, name, detail) {
  return `${state.padEnd(8)} ${name.padEnd(32)} ${detail}`;
}

function sum({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}
