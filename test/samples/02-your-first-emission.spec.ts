import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { root } from '../support/imports.js';
import { loadSample } from './load-sample.js';

const { run } = await loadSample<{ run(): Promise<void> }>('02-your-first-emission/src/main');

describe('your first emission', () => {
  afterEach(() => {
    jest.restoreAllMocks();
  });

  it('delivers what a successful request emitted, and nothing of a failed one', async () => {
    const log = jest.spyOn(console, 'log').mockImplementation(() => {});
    await run();
    expect(log.mock.calls.map(([line]) => String(line).trim())).toEqual([
      'POST /orders {"id":"1","quantity":2}',
      'A receipt for order 1',
      'Answered 201, delivered order.created',
      'POST /orders {"id":"2","quantity":20}',
      'Answered 500, delivered nothing',
    ]);
  });

  it('has an example of at most 25 lines besides its imports', () => {
    const source = join(root, 'sample', '02-your-first-emission', 'src', 'main.ts');
    const [, region] = /\/\/ #region readme\n(.*?)\/\/ #endregion/s.exec(
      readFileSync(source, 'utf8'),
    )!;
    const lines = region!.trim().split('\n');
    const code = lines.filter((line) => !line.startsWith('import '));
    expect(code.join('\n').trim().split('\n').length).toBeLessThanOrEqual(25);
  });
});
