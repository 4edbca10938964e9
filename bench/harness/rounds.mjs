// Runs every contender of a question in a fresh process each round, one behind another, so that a machine whose speed drifts
// treats all alike.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const worker = join(import.meta.dirname, 'worker.mjs');

/** The figures of each contender, one a round. */
export async function measure(name, question, { rounds = question.rounds ?? 5, only } = {}) {
  const contenders = contendersOf(name, question, only);
  const figures = Object.fromEntries(contenders.map((key) => [key, []]));
  for (let round = 1; round <= Number(rounds); round++) {
    for (const key of contenders) {
      if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${name}: round ${round} of ${rounds}, ${key}`);
      figures[key].push(await runOnce(name, key, question));
    }
  }
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  return figures;
}

/** Those whose name has `only` in it. */
export function contendersOf(name, question, only) {
  const all = Object.keys(question.contenders);
  const contenders = all.filter((key) => only === undefined || key.includes(only));
  if (contenders.length > 0) return contenders;
  throw new Error(`No contender of ${name} has '${only}' in its name. There are: ${all.join(' · ')}.`);
}

async function runOnce(name, key, question) {
  const { stdout } = await run(
    process.execPath,
    ['--expose-gc', '--disable-warning=ExperimentalWarning', ...(question.nodeOptions ?? []), worker, name, key],
    { timeout: 120_000, maxBuffer: 1 << 24 },
  );
  const figure = Number(stdout.trim().split('\n').at(-1));
  if (!Number.isFinite(figure)) throw new Error(`${name} ${key} gave no figure: ${stdout}`);
  return figure;
}
