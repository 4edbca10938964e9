import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { root } from '../support/imports.js';

const read = (...path: string[]): string => readFileSync(join(root, 'sample', ...path), 'utf8');

describe('a spec for POST /orders', () => {
  it('takes at most 10 lines, on the root module of a real application', () => {
    const spec = read('01-orders-live', 'src', 'orders', 'orders.controller.spec.ts');
    const [, body] = /\n {2}it\(.*\n((?: {4}.*\n)+) {2}\}\);\n/.exec(spec)!;
    expect(body).toContain('imports: [AppModule]');
    expect(body).toContain("expectEmitted('order.created'");
    expect(body!.trimEnd().split('\n').length + 2).toBeLessThanOrEqual(10);
  });
});

describe('testing your handlers', () => {
  it('lists each of its specs in its README, in their order', () => {
    const specs = readdirSync(join(root, 'sample', '03-testing-your-handlers', 'src'))
      .filter((file) => file.endsWith('.spec.ts'))
      .sort();
    const listed = [
      ...read('03-testing-your-handlers', 'README.md').matchAll(/src\/(\S+\.spec\.ts)\)/g),
    ];
    expect(listed.map(([, file]) => file)).toEqual(specs);
  });

  it('sleeps nowhere', () => {
    const specs = readdirSync(join(root, 'sample', '03-testing-your-handlers', 'src'));
    for (const file of specs) {
      expect(read('03-testing-your-handlers', 'src', file)).not.toMatch(/setTimeout|sleep/);
    }
  });
});
