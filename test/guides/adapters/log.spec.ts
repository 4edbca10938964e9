// #region docs
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { adapterContract, serveAdapter, type Arrival } from 'nestjs-emissions/testing';
import { LogAdapter } from './log.js';

describe('LogAdapter', () => {
  adapterContract({
    test: it,
    expect,
    features: { unencodable: () => ({ total: 1n }) },
    create: async (consumer) => {
      const folder = mkdtempSync(join(tmpdir(), 'log-'));
      const path = join(folder, 'emissions.log');
      return {
        app: await serveAdapter({ useClass: LogAdapter, options: { path } }, consumer),
        received: () =>
          (existsSync(path) ? readFileSync(path, 'utf8') : '')
            .split('\n')
            .filter((line) => line !== '')
            .map((line) => JSON.parse(line) as Arrival),
        close: () => rmSync(folder, { recursive: true }),
      };
    },
  });
});
// #endregion
