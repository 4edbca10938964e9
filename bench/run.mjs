// Runs the benchmarks: `npm run bench` all of them, `npm run bench -- emit` one, `--rounds 9` for more rounds;
// `npm run bench -- emit --instructions --only 3×sync` counts instructions instead.
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { countInstructions } from './harness/instructions.mjs';
import { measure } from './harness/rounds.mjs';
import { describeMachine, printReport } from './harness/report.mjs';

const here = import.meta.dirname;
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string' }, only: { type: 'string' }, instructions: { type: 'boolean' } },
});
const all = readdirSync(here)
  .filter((file) => file.endsWith('.mjs') && file !== 'run.mjs')
  .map((file) => file.replace('.mjs', ''));
const unknown = positionals.find((name) => !all.includes(name));
if (unknown !== undefined) {
  console.error(`There is no benchmark "${unknown}". There are: ${all.join(', ')}.`);
  process.exit(2);
}
if (!existsSync(join(here, 'node_modules'))) {
  execFileSync('npm', ['ci', '--loglevel=error'], { cwd: here, stdio: 'inherit' });
}

if (values.instructions) {
  if (positionals.length !== 1 || positionals[0] !== 'emit') {
    console.error(`Only emissions can be counted: npm run bench -- emit --instructions --only '3×sync'.`);
    process.exit(2);
  }
  const { default: question } = await import('./emit.mjs');
  for (const [key, count] of Object.entries(await countInstructions('emit', question, values.only)))
    console.log(`${key.padEnd(32)} ${count.toLocaleString('en').padStart(9)} instructions an emission`);
  process.exit(0);
}

const machine = describeMachine();
const results = join(here, 'results');
mkdirSync(results, { recursive: true });
let missed = 0;
for (const name of positionals.length > 0 ? positionals : ['emit', 'isolation', 'memory', 'http', 'live', 'durable', 'brokers']) {
  const { default: question } = await import(`./${name}.mjs`);
  const figures = await measure(name, question, { rounds: values.rounds, only: values.only });
  const report = printReport(name, question, figures, machine);
  missed += report.targets.filter(({ held }) => !held).length;
  writeFileSync(join(results, `${name}.json`), JSON.stringify(report, null, 2) + '\n');
}
console.log(missed === 0 ? '\nEvery target is held.' : `\n${missed} targets are missed.`);
process.exit(missed === 0 ? 0 : 1);
