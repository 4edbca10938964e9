// @fullstackhouse/nestjs-outbox: runs on Nest 11, and so in a process and a folder of its own.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { installed } from './installed.mjs';
import { withDatabase } from './schema.mjs';

const run = promisify(execFile);
const folder = join(import.meta.dirname, 'outbox');

/** @param what `rate` or `latency` */
export const outbox = (what, count) => () =>
  withDatabase(async (url) => {
    installed(folder);
    const args = [join(folder, 'contender.mjs'), what, String(count)];
    const { stdout } = await run(process.execPath, args, {
      cwd: folder,
      env: { ...process.env, DATABASE_URL: url },
    });
    return Number(stdout.trim().split('\n').at(-1));
  });
