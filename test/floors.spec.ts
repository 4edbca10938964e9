import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { breaches } from './support/floors.js';
import { librarySources, root } from './support/imports.js';
import { lateFields } from './support/late-fields.js';

describe('The floor plan', () => {
  it('is kept by every file of lib', () => {
    const sources = librarySources();

    expect(sources.size).toBeGreaterThan(0);
    expect(breaches(sources)).toEqual([]);
  });
});

describe('The fields of a class', () => {
  it('have their value from the start, everywhere in lib', () => {
    expect([...librarySources().values()].flatMap(lateFields)).toEqual([]);
  });

  it('are late without one, or with one that they may not get, unless they are private to JavaScript too', () => {
    const source = `class A {
      at: number | undefined;
      @Inject() readonly b: B;
      c: number;
      d: number;
      e: number;
      readonly f: string;
      #g: number | undefined;
      h = 1;
      declare i: number;
      static j: number;
      constructor();
      constructor(readonly k?: string) {
        this.f = k;
        if (k) this.c = 1;
        const later = () => { this.d = 1; };
        if (this.e === 1) later();
      }
    }`;
    expect(lateFields(source)).toEqual(['A.at', 'A.b', 'A.c', 'A.d', 'A.e']);
  });
});

describe('The tests on the build', () => {
  it('find every file of lib there', () => {
    const config = JSON.parse(readFileSync(join(root, 'test/jest.dist.json'), 'utf8')) as {
      moduleNameMapper: Record<string, string>;
    };
    const [mapped] = Object.keys(config.moduleNameMapper);
    const files = [...librarySources().keys()].filter((file) => file !== 'index.ts');

    expect(
      files.filter((file) => !new RegExp(mapped!).test(`../lib/${file.replace(/ts$/, 'js')}`)),
    ).toEqual([]);
  });
});

describe('A check of the floor plan', () => {
  const check = (files: Record<string, string>) => breaches(new Map(Object.entries(files)));

  it('allows imports down, within a room, of packages and from brokers/ into what brokers share', () => {
    expect(
      check({
        'index.ts': `export { Buffer } from './buffer/buffer.js';\nexport * from './emission/emission.js';`,
        'buffer/buffer.ts': `import { Pipeline } from '../pipeline/pipeline.js';\nimport './context.js';`,
        'buffer/context.ts': `import { AsyncLocalStorage } from 'node:async_hooks';`,
        'pipeline/pipeline.ts': `import type { Emission } from '../emission/emission.js';`,
        'brokers/record.ts': `import {\n  type Emission,\n} from '../emission/emission.js';`,
        'brokers/kafka/kafka.adapter.ts': `import { Record } from '../record.js';`,
        'brokers/kafka/index.ts': `export { KafkaAdapter } from './kafka.adapter.js';`,
        'testing/recorder.ts': `const { Buffer } = await import('../buffer/buffer.js');`,
        'emission/emission.ts': `/**\n * import { no } from '../testing/recorder.js';\n */\nexport class Emission {}`,
      }),
    ).toEqual([]);
  });

  it.each([
    ['up', 'emission/a.ts', `import { b } from '../pipeline/b.js';`, 'never up'],
    ['up by a type', 'emission/a.ts', `import type { b } from '../buffer/b.js';`, 'never up'],
    ['up, dynamically', 'buffer/a.ts', `await import('../testing/b.js');`, 'never up'],
    [
      'up to the front door',
      'durable/a.ts',
      `import { b } from '../emissions.service.js';`,
      'never up',
    ],
    ['sideways', 'pipeline/a.ts', `import { b } from '../handlers/b.js';`, 'never sideways'],
    ['to another broker', 'brokers/nats/a.ts', `import '../kafka/b.js';`, 'never sideways'],
    ['up to a watcher', 'telemetry/a.ts', `import '../telemetry/terminus/b.js';`, 'never up'],
    ['into a broker', 'brokers/a.ts', `import { b } from './kafka/b.js';`, 'never sideways'],
    [
      'through an index.ts',
      'testing/a.ts',
      `import { b } from '../index.js';`,
      'never through an index',
    ],
    [
      'of its own package',
      'testing/a.ts',
      `import { b } from 'nestjs-emissions';`,
      'never through an entry',
    ],
    [
      'that re-exports',
      'buffer/a.ts',
      `export { b } from './b.js';`,
      'only an index.ts re-exports',
    ],
    ['out of lib', 'buffer/a.ts', `import b from '../../package.json';`, 'nothing outside of lib'],
    ['without .js', 'buffer/a.ts', `import { b } from './b';`, 'ends in .js'],
    [
      'that spans lines',
      'emission/a.ts',
      `import {\n  b,\n  c,\n} from '../buffer/b.js';`,
      'never up',
    ],
  ])('refuses an import %s', (_, file, source, rule) => {
    const [breach, ...others] = check({ [file]: source });

    expect(breach).toMatch(new RegExp(`^${file} imports '.*': .*${rule}`));
    expect(others).toEqual([]);
  });

  it('refuses a folder that has no floor', () => {
    expect(check({ 'helpers/a.ts': '' })).toEqual(['helpers/a.ts: no floor is given for helpers/']);
  });

  it('refuses a circle, and says it once', () => {
    expect(
      check({
        'buffer/a.ts': `import { b } from './b.js';`,
        'buffer/b.ts': `import { c } from './c.js';`,
        'buffer/c.ts': `import type { a } from './a.js';`,
      }),
    ).toEqual(['buffer/a.ts → buffer/b.ts → buffer/c.ts → buffer/a.ts: no circles']);
  });
});
