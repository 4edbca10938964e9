// How many instructions an emission takes, which is the same each time to a hundredth, whatever else the machine does.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { contendersOf } from './rounds.mjs';

const run = promisify(execFile);
const worker = join(import.meta.dirname, 'worker.mjs');
/** Emissions. What differs between these is counted: the start, and what is compiled, is in both. */
const FEW = 225_000;
const MANY = 315_000;

/** Instructions per emission of each contender whose name has `only` in it. Needs valgrind and setarch (Debian: valgrind, util-linux). */
export async function countInstructions(name, question, only) {
  const counts = {};
  for (const key of contendersOf(name, question, only)) {
    const [few, many] = await Promise.all([count(name, key, FEW), count(name, key, MANY)]);
    counts[key] = Math.round((many.instructions - few.instructions) / (many.emitted - few.emitted));
  }
  return counts;
}

async function count(name, key, emissions) {
  const { stdout, stderr } = await valgrind(
    [process.execPath, '--single-threaded', '--hash-seed=7', '--random-seed=7', '--expose-gc', worker, name, key],
    { ...process.env, BENCH_EMISSIONS: String(emissions) },
  );
  const instructions = Number(/I\s+refs:\s+([\d,]+)/.exec(stderr)?.[1].replaceAll(',', ''));
  const emitted = Number(stdout.trim().split('\n').at(-1));
  if (!(instructions > 0 && emitted > 0)) throw new Error(`${name} ${key} could not be counted: ${stdout}${stderr}`);
  return { instructions, emitted };
}

/** Where things are in memory, how they are hashed and what runs beside it is the same each time. */
async function valgrind(command, env) {
  const options = ['--tool=cachegrind', '--cache-sim=no', '--cachegrind-out-file=/dev/null', '--smc-check=all-non-file'];
  try {
    return await run('setarch', ['-R', 'valgrind', ...options, ...command], { env, maxBuffer: 1 << 24 });
  } catch (error) {
    if (error.code !== 'ENOENT' && error.code !== 127) throw error;
    throw new Error('To count instructions takes valgrind and setarch, which are not here (Debian: apt-get install valgrind util-linux).');
  }
}
