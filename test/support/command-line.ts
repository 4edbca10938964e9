import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { join } from 'node:path';
import { root } from './imports.js';

/** What a process left behind. */
export interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly error: string;
}

/** Set by test/jest.dist.json: what npm would install is tested. */
export const onDist: boolean = 'testingDist' in globalThis;

/** Runs `nestjs-emissions` as a process of its own. */
export function nestjsEmissions(
  args: readonly string[],
  environment: Record<string, string> = {},
): Promise<Outcome> {
  const hooks = join(root, 'test', 'support', 'typescript.hooks.mjs');
  const file = onDist
    ? [join(root, 'dist', 'durable', 'cli', 'main.js')]
    : ['--import', hooks, join(root, 'lib', 'durable', 'cli', 'main.ts')];
  return outcomeOf(process.execPath, [...file, ...args], { env: environment });
}

/** Runs a program with nothing in its environment but where programs are found, and what it is given. */
export async function outcomeOf(
  program: string,
  args: readonly string[],
  { env = {}, cwd = root }: { env?: Record<string, string>; cwd?: string } = {},
): Promise<Outcome> {
  const { PATH, HOME } = process.env;
  const child = spawn(program, args, { cwd, env: { PATH, HOME, ...env } });
  const exit = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject).once('exit', resolve);
  });
  const [code, out, error] = await Promise.all([exit, text(child.stdout), text(child.stderr)]);
  return { code, out: out.trimEnd(), error: error.trimEnd() };
}
