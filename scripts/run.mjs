/**
 * Runs one command line the way an npm script would: at the top of the repository, with the
 * installed tools (and the project's own Node) found first. Every script here starts its
 * children through this.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';

export const root = dirname(import.meta.dirname);

const path = join(root, 'node_modules', '.bin') + delimiter + process.env.PATH;

/** A command that hangs longer than this is killed, and so counts as failed. */
const timeout = 30 * 60_000;

/** Reads package.json anew. */
export function packageJson() {
  return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
}

/**
 * Resolves with the exit code, and with what the command printed if `stdio` is `'pipe'` (the
 * default). Never rejects: a command that cannot be started has the code 1.
 */
export function run(command, { stdio = 'pipe' } = {}) {
  return new Promise((resolve) => {
    const env = { ...process.env, PATH: path };
    const child = spawn(command, { cwd: root, env, shell: true, stdio, timeout });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text) => (output += text));
    }
    child.once('error', (error) => resolve({ code: 1, output: String(error) }));
    child.once('close', (code, signal) => {
      if (signal !== null) output += `\nended by ${signal}\n`;
      resolve({ code: code ?? 1, output });
    });
  });
}
