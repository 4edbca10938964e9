import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { transformSync } from '@swc/core';
import { Injectable, type Type } from '@nestjs/common';
import { Emissions } from 'nestjs-emissions';
import { SourceLine } from '../../lib/testing/source-line.js';
import { root } from '../support/imports.js';
import { recorded } from '../support/recorded.js';

const HERE = 'test/testing/source-line.spec.ts';

/** The line this is called on, as the stack has it. */
function lineNumber(): number {
  const [, , caller] = new Error('here').stack!.split('\n');
  return Number(/:(\d+):\d+\)?$/.exec(caller!)![1]);
}

@Injectable()
class Orders {
  line = 0;
  constructor(private readonly emissions: Emissions) {}

  place(): void {
    this.#announce();
  }

  async record(): Promise<void> {
    await Promise.resolve();
    this.line = lineNumber() + 1;
    await this.emissions.record({ success: 'recorded' }, async () => Promise.resolve(1));
  }

  #announce(): void {
    this.line = lineNumber() + 1;
    this.emissions.emit('placed');
  }
}

async function reported(act: (orders: Orders) => void | Promise<void>): Promise<[string, number]> {
  await using app = await recorded('strict', { providers: [Orders as Type] });
  const orders = app.app.get(Orders);
  await app.emissions.run(() => act(orders));
  try {
    app.recorder.verify();
  } catch (error) {
    return [(error as Error).message, orders.line];
  }
  throw new Error('Nothing was reported.');
}

describe('the line that emitted', () => {
  it('is that of the source, with its callers, and none of the library, packages or Node', async () => {
    const [message, line] = await reported((orders) => orders.place());
    expect(message).toContain(`emitted at ${HERE}:${line}:`);
    expect(message).toMatch(
      /called from test\/testing\/source-line\.spec\.ts:\d+:\d+ \(Orders\.place\)/,
    );
    expect(message).not.toMatch(/\blib\/|node_modules|node:/);
  });

  it('is found behind an await within the library', async () => {
    const [message, line] = await reported((orders) => orders.record());
    expect(message).toContain(`emitted at ${HERE}:${line}:`);
  });

  it('is unknown where the stack shows none, and that is said', () => {
    const below = new SourceLine(lineNumber);
    expect(below.lines).toEqual([]);
  });

  it.each([
    ['at Orders.place (/app/src/orders.ts:3:9)', '/app/src/orders.ts:3:9 (Orders.place)'],
    [
      'at async Orders.place (file:///app/src/or%20ders.ts:3:9)',
      '/app/src/or ders.ts:3:9 (Orders.place)',
    ],
    ['at /app/src/orders.ts:3:9', '/app/src/orders.ts:3:9'],
    ['at Orders.emit [as place] (/app/o.ts:3:9)', '/app/o.ts:3:9 (Orders.place)'],
    ['at Object.<anonymous> (/app/o.ts:3:9)', '/app/o.ts:3:9 (Object.<anonymous>)'],
    ['at new Orders (C:\\app\\o.ts:3:9)', 'C:/app/o.ts:3:9 (new Orders)'],
    ['at process.processTicksAndRejections (node:internal/process/task_queues:105:5)', undefined],
    ['at Module.run (/app/node_modules/nest/index.js:1:2)', undefined],
    ['at Array.map (<anonymous>)', undefined],
  ])('is read from %j', (frame, line) => {
    const prepare = Error.prepareStackTrace;
    const own = new Error('own').stack!;
    let asked = 0;
    // The first is the line itself; the second asks where the library lies.
    Error.prepareStackTrace = () => (asked++ === 0 ? `Error\n    ${frame}` : own);
    try {
      expect(new SourceLine(lineNumber).lines).toEqual(line === undefined ? [] : [line]);
    } finally {
      Error.prepareStackTrace = prepare;
    }
  });
});

/** Set by test/jest.dist.json, where `nestjs-emissions` is the built package. */
if ('testingDist' in globalThis) {
  describe('the line that emitted, with node --enable-source-maps', () => {
    it('is that of the source', () => {
      const source = `
        import 'reflect-metadata';
        import { Test } from '@nestjs/testing';
        import { Emissions, EmissionsModule } from 'nestjs-emissions';
        import { recordEmissions } from 'nestjs-emissions/testing';
        interface Gone { compiled: true }
        const builder = Test.createTestingModule({ imports: [EmissionsModule.forRoot()] });
        const recorder = recordEmissions(builder, { mode: 'strict' });
        const app = await (await builder.compile()).init();
        type GoneToo = Gone;
        await app.get(Emissions).run(() => {
          app.get(Emissions).emit('a');
        });
        try { recorder.verify(); } catch (error) { console.log(error.message); }
        await app.close();
      `;
      mkdirSync(join(root, '.cache'), { recursive: true });
      const folder = mkdtempSync(join(root, '.cache', 'lines-'));
      try {
        const { code } = transformSync(source, {
          filename: join(folder, 'app.ts'),
          sourceFileName: 'app.ts',
          sourceMaps: 'inline',
          swcrc: false,
          jsc: { target: 'es2023', parser: { syntax: 'typescript' } },
          module: { type: 'es6' },
        });
        writeFileSync(join(folder, 'app.mjs'), code);
        const child = spawnSync(
          process.execPath,
          ['--enable-source-maps', join(folder, 'app.mjs')],
          { cwd: folder, encoding: 'utf8' },
        );
        expect(child.stdout).toContain('emitted at app.ts:12:30');
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    });
  });
}
