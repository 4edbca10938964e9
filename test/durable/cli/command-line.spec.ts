import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { nestjsEmissions, onDist, outcomeOf } from '../../support/command-line.js';
import { temporaryFolder } from '../../support/folders.js';
import { root } from '../../support/imports.js';

const URL = 'postgres://127.0.0.1:1/none';
const ID = '01997f3e-8b1a-7c54-9d2e-5f6a7b8c9d0e';

describe('The command line', () => {
  it.each([
    [[], 'The command is one of migrate, status, failed, retry, discard, but got no command'],
    [['list'], "but got 'list'. See: nestjs-emissions --help"],
    [['toString'], "but got 'toString'"],
    [['status'], 'Which database? Write --url postgres://'],
    [['status', '--url', URL, '--embedded', 'data'], '--url and --embedded name two databases'],
    [
      ['status', '--url', URL, '--schema', 'Mine'],
      '--schema takes a name of up to 50 small letters',
    ],
    [['status', '--url', URL, '--backend', 'mysql'], "--backend takes 'postgres' or 'cockroachdb'"],
    [['status', '--url', URL, '--lmit', '3'], "Unknown option '--lmit'"],
    [
      ['status', '--url', URL, '--tenant', 'a'],
      'status takes no --tenant. It takes: --handler, --url',
    ],
    [['status', '--url', URL, ID, ID], 'status takes the id of one emission, but got'],
    [['migrate', '--url', URL, ID], 'migrate takes no ids'],
    [['failed', '--url', URL, 'x'], "'x' is the id of no emission: they look like 01997f3e"],
    [
      ['failed', '--url', URL, '--limit', '0'],
      "--limit takes a whole number from 1 to 999999, but got '0'",
    ],
    [['failed', '--url', URL, '--handler', ''], '--handler takes a name, but got nothing'],
    [['retry', '--url', URL], 'retry takes the ids of emissions, --handler, --tenant, or --all'],
    [
      ['discard', '--url', URL],
      'discard takes the ids of emissions, --handler, --tenant, or --all',
    ],
    [
      ['discard', '--url', URL, '--all', ID],
      'discard takes --all, or ids and --handler and --tenant, but',
    ],
    [['discard', '--url', URL, '--limit', '3'], 'discard takes no --limit'],
    [['retry', '--embedded', '/nowhere', '--all'], "but there is none in '/nowhere'"],
  ])('refuses %j', async (args, message) => {
    const { code, out, error } = await nestjsEmissions(args);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(error).toContain(message);
    expect(error).toMatch(/^nestjs-emissions: [^\n]+$/);
  });

  it('says which database does not answer', async () => {
    expect(await nestjsEmissions(['status'], { DATABASE_URL: URL })).toEqual({
      code: 1,
      out: '',
      error:
        'nestjs-emissions: The database refuses, or is not there: connect ECONNREFUSED 127.0.0.1:1',
    });
  });

  it('helps', async () => {
    const { code, out, error } = await nestjsEmissions(['retry', '--help']);
    expect({ code, error }).toEqual({ code: 0, error: '' });
    for (const word of ['migrate', 'status', 'failed', 'retry', 'discard', '--all', 'DATABASE_URL'])
      expect(out).toContain(word);
    expect(Math.max(...out.split('\n').map(({ length }) => length))).toBeLessThanOrEqual(100);
    expect(await nestjsEmissions(['help'])).toMatchObject({ code: 0, out });
  });

  it('knows its version', async () => {
    expect((await nestjsEmissions(['--version'])).out).toMatch(/^\d+\.\d+\.\d+/);
  });
});

if (onDist) {
  describe('The packed package', () => {
    it('brings the command to whoever installs it', async () => {
      using folder = temporaryFolder();
      const cwd = folder.path;
      const packed = await outcomeOf('npm', ['pack', '--json', '--pack-destination', cwd]);
      const [{ filename }] = JSON.parse(packed.out) as [{ filename: string }];
      const listed = await outcomeOf('tar', ['-tvzf', filename], { cwd });
      expect(listed.out).toMatch(/^-rwxr-xr-x .* package\/dist\/durable\/cli\/main\.js$/m);

      writeFileSync(join(cwd, 'package.json'), '{}');
      const alone = ['--offline', '--legacy-peer-deps', '--ignore-scripts', '--no-audit'];
      const installed = await outcomeOf('npm', ['install', ...alone, `./${filename}`], { cwd });
      expect(installed.code).toBe(0);
      for (const peer of ['@nestjs', 'pg-boss'])
        symlinkSync(join(root, 'node_modules', peer), join(cwd, 'node_modules', peer));
      const command = ['--no', '--', 'nestjs-emissions', '--version'];
      const { code, out } = await outcomeOf('npx', command, { cwd });
      expect({ code, out }).toEqual({ code: 0, out: (await nestjsEmissions(['--version'])).out });
    }, 60_000);
  });
}
