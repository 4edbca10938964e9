import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it, jest } from '@jest/globals';
import { root } from '../support/imports.js';

jest.setTimeout(30_000);

/** A whole application in a process of plain Node; what goes wrong in it is written down. */
const program = (library: string): string => `
  import 'reflect-metadata';
  import { Module } from '@nestjs/common';
  import { NestFactory } from '@nestjs/core';
  import { Emissions, EmissionsModule } from ${JSON.stringify(library)};

  const wrong = [];
  process.on('unhandledRejection', (error) => wrong.push('rejection: ' + error));
  process.on('uncaughtException', (error) => wrong.push('exception: ' + error));
  process.on('exit', (code) => console.log(JSON.stringify({ code, wrong, delivered })));

  const delivered = [];
  const retry = { attempts: 2, backoffMs: 60_000 };
  class App {}
  Module({
    imports: [EmissionsModule.forRoot({
      pipeline: { drainTimeoutMs: 50, timeoutMs: 60_000, waitTimeoutMs: 60_000 },
      adapters: [
        { name: 'good', useValue: { deliver: (batch) => void delivered.push(...batch.map(({ name }) => name)) } },
        { name: 'rejects', useValue: { deliver: () => Promise.reject() }, consumer: { retry } },
        { name: 'throws', useValue: { deliver: () => { throw new Error('no'); } } },
        { name: 'never', useValue: { deliver: () => new Promise(() => {}) } },
        { name: 'undecided', useValue: { interested: () => Promise.reject(new Error('?')), deliver: () => {} } },
        { name: 'full', useValue: { interested: ({ name }) => name === 'b', deliver: () => new Promise(() => {}) }, consumer: { capacity: 1 } },
        { name: 'late', useValue: { deliver: (_, { signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('late')))) } },
        { name: 'patient', useValue: { deliver: () => {} }, consumer: { maxWaitMs: 60_000 } },
      ],
    })],
  })(App);
  const app = await NestFactory.createApplicationContext(App, { logger: false });
  const emissions = app.get(Emissions);
  emissions.subscribe('*', () => Promise.reject(new Error('handler')));
  emissions.subscribe('*', () => new Promise(() => {}));
  emissions.subscribe('*', () => {}, { once: true });
  emissions.stream('*').subscribe();
  await emissions.run(() => emissions.emit('a'));
  await emissions.run(() => emissions.emit('b'));
  const waiting = emissions.run(() => emissions.emit('b')).catch(() => delivered.push('refused'));
  await app.close();
  await waiting;
`;

describe('A process whose application has closed', () => {
  const made: string[] = [];
  afterAll(() => made.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

  /** Plain Node cannot load the sources: they are compiled to a place where their imports are found. */
  function compiled(): string {
    const cache = join(root, 'node_modules/.cache');
    mkdirSync(cache, { recursive: true });
    const folder = mkdtempSync(join(cache, 'nestjs-emissions-'));
    made.push(folder);
    const tsc = join(root, 'node_modules/@typescript/native/bin/tsc');
    const flags = ['--outDir', folder, '--noEmitOnError', 'false', '--declaration', 'false'];
    spawnSync(process.execPath, [tsc, '-p', 'lib', '--isolatedDeclarations', 'false', ...flags], {
      cwd: root,
    });
    return pathToFileURL(join(folder, 'index.js')).href;
  }

  it('exits by itself, with nothing unhandled, whatever its destinations did', () => {
    const library = 'testingDist' in globalThis ? 'nestjs-emissions' : compiled();
    const child = spawnSync(process.execPath, ['--input-type=module', '--eval', program(library)], {
      cwd: root,
      encoding: 'utf8',
      timeout: 20_000,
    });

    expect(child.stderr).toBe('');
    expect(JSON.parse(child.stdout)).toEqual({
      code: 0,
      wrong: [],
      delivered: ['a', 'b', 'refused'],
    });
  });
});
