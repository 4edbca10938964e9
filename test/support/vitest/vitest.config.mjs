import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

const root = join(import.meta.dirname, '..', '..', '..');

/** A project of somebody who uses vitest: the library comes as its sources, so that it need not be built. */
export default defineConfig({
  root,
  resolve: {
    alias: [
      { find: /^nestjs-emissions$/, replacement: join(root, 'lib', 'index.ts') },
      { find: /^nestjs-emissions\/(.*)$/, replacement: join(root, 'lib', '$1', 'index.ts') },
    ],
  },
  test: { include: ['test/support/vitest/*.vitest.ts'] },
});
