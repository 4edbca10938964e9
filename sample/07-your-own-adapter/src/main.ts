import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** There is no server to start here: the sample is its spec, and this runs it, as `npm test` does with all the others. */
const root = join(import.meta.dirname, '..', '..', '..');
const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js');
const { status } = spawnSync(
  process.execPath,
  [
    ...['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', jest],
    ...['sample/07-your-own-adapter', '--verbose'],
  ],
  { cwd: root, stdio: 'inherit' },
);
process.exit(status ?? 1);
