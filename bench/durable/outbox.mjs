// @fullstackhouse/nestjs-outbox: runs on Nest 11, and so in a process and a folder of its own.
import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { withDatabase } from './schema.mjs';

const run = promisify(execFile);
const folder = join(import.meta.dirname, 'outbox');

/** @param what `rate` or `latency` */
export const outbox = (what, count) => () =>
  withDatabase(async (url) => {
    if (!existsSync(join(folder, 'node_modules'))) {
      execFileSync('npm', ['ci', '--loglevel=error'], { cwd: folder, stdio: 'inherit' });
    }
    const args = [join(folder, 'contender.mjs'), what, String(count)];
    const { stdout } = await run(process.execPath, args, {
      cwd: folder,
      env: { ...process.env, DATABASE_URL: url },
    });
    return Number(stdout.trim().split('\n').at(-1));
  });
