import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { root } from '../support/imports.js';

describe('your own adapter', () => {
  it('is one of 30 lines, besides its imports', () => {
    const file = join(root, 'sample', '07-your-own-adapter', 'src', 'collector.adapter.ts');
    const lines = readFileSync(file, 'utf8').split('\n');
    const code = lines.filter((line) => !line.startsWith('import ')).join('\n');
    expect(code).toContain('class CollectorAdapter implements EmissionAdapter');
    expect(code.trim().split('\n').length).toBeLessThanOrEqual(30);
  });
});
