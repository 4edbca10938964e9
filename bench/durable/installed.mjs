// Installs a folder's peers when they are not there yet.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

export function installed(folder) {
  if (existsSync(join(folder, 'node_modules'))) return;
  execFileSync('npm', ['install', '--no-package-lock', '--loglevel=error'], { cwd: folder, stdio: ['ignore', 2, 2] });
}
