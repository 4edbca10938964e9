import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { emissionMatchers, TestingError } from 'nestjs-emissions/testing';
import { root } from '../support/imports.js';
import { temporaryFolder } from '../support/folders.js';
import { messageOf, recorded } from '../support/recorded.js';

describe('toHaveEmitted', () => {
  it('passes for what was emitted, and consumes it', async () => {
    await using app = await recorded('strict');
    await app.emit(['a', { id: 1 }], ['a', { id: 2 }]);
    expect(app.recorder).toHaveEmitted('a', { payload: { id: 2 } });
    expect(app.recorder.unasserted().map(({ payload }) => payload)).toEqual([{ id: 1 }]);
    expect(app.recorder).toHaveEmitted('a', ({ payload }) => payload.id === 1);
    app.recorder.verify();
  });

  it('shows the difference when it fails', async () => {
    await using app = await recorded('default');
    await app.emit(['a', { id: 1 }]);
    const message = messageOf(() =>
      expect(app.recorder).toHaveEmitted('a', { payload: { id: 2 } }),
    );
    expect(message).toMatch(/Expected 'a' with \{ payload: \{ id: 2 \} \} to be emitted/);
    expect(message).toMatch(/\n\+ +id: 1\n- +id: 2\n/);
  });

  it('with not and a check, fails when an emission passes it', async () => {
    await using app = await recorded('default');
    await app.emit(['a', { id: 1 }]);
    expect(app.recorder).not.toHaveEmitted('a', ({ payload }) => payload.id === 2);
    expect(messageOf(() => expect(app.recorder).not.toHaveEmitted('a', () => true))).toMatch(
      /not to be emitted, but it was/,
    );
    expect(app.recorder.has('a', ({ payload }) => payload.id === 1)).toBe(true);
    expect(app.recorder.has('a', () => false)).toBe(false);
  });

  it('with not, passes for what was not emitted, and consumes nothing', async () => {
    await using app = await recorded('strict');
    await app.emit(['a', { id: 1 }]);
    expect(app.recorder).not.toHaveEmitted('b');
    expect(app.recorder).not.toHaveEmitted('a', { payload: { id: 2 } });
    expect(app.recorder.unasserted()).toHaveLength(1);
    const refutation = () => expect(app.recorder).not.toHaveEmitted('a');
    expect(refutation).toThrow(/Expected 'a' not to be emitted, but it was/);
  });
});

describe('toHaveEmittedInOrder', () => {
  it('passes for what was emitted in order, and consumes it', async () => {
    await using app = await recorded('strict');
    await app.emit('a', 'b', ['c', 1]);
    expect(app.recorder).toHaveEmittedInOrder(['a', ['c', { payload: 1 }]]);
    expect(app.recorder.unasserted().map(({ name }) => name)).toEqual(['b']);
  });

  it('says after which the order was broken', async () => {
    await using app = await recorded('default');
    await app.emit('b', 'a');
    expect(() => expect(app.recorder).toHaveEmittedInOrder(['a', 'b'])).toThrow(
      /After 'a': Expected 'b'/,
    );
  });

  it('with not, passes for another order, and consumes nothing', async () => {
    await using app = await recorded('default');
    await app.emit('b', 'a');
    expect(app.recorder).not.toHaveEmittedInOrder(['a', 'b']);
    const refutation = () => expect(app.recorder).not.toHaveEmittedInOrder(['b', 'a']);
    expect(refutation).toThrow(/These were emitted in this order:\n {2}'b'\n {2}'a'/);
    app.recorder.expectEmittedInOrder(['b', 'a']);
  });
});

describe('the matchers', () => {
  it('refuse what is no recorder', () => {
    expect(() => expect({}).toHaveEmitted('a')).toThrow(TestingError);
    expect(() => expect(null).not.toHaveEmittedInOrder(['a'])).toThrow(/takes a recorder/);
  });

  it('can be added to an expect that is no global', () => {
    expect(() => expect.extend(emissionMatchers)).not.toThrow();
  });

  it('work in vitest, with the kit and the lines of the sources', () => {
    const bin = join(root, 'node_modules', 'vitest', 'vitest.mjs');
    const config = join(root, 'test', 'support', 'vitest', 'vitest.config.mjs');
    const env: NodeJS.ProcessEnv = { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0' };
    // Set by jest: vitest would take itself for a worker of its own.
    for (const key of ['JEST_WORKER_ID', 'NODE_ENV', 'NODE_OPTIONS']) delete env[key];
    using folder = temporaryFolder();
    const file = join(folder.path, 'report.json');
    const { status, stderr } = spawnSync(
      process.execPath,
      [bin, 'run', '--config', config, '--reporter', 'json', '--outputFile', file],
      { cwd: root, encoding: 'utf8', env },
    );
    const report = JSON.parse(readFileSync(file, 'utf8')) as {
      numPassedTests: number;
      testResults: { assertionResults: { title: string; failureMessages: string[] }[] }[];
    };
    const results = report.testResults.flatMap(({ assertionResults }) => assertionResults);
    expect(results.flatMap(({ failureMessages }) => failureMessages)).toEqual([]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(report.numPassedTests).toBe(5);
  }, 30_000);
});
