import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { importsOf, librarySources, resolveWithin, root } from './support/imports.js';

interface PackageJson {
  exports: Record<string, string | { types: string; default: string }>;
  dependencies?: Record<string, string>;
  peerDependencies: Record<string, string>;
  peerDependenciesMeta: Record<string, { optional?: boolean }>;
}

/** What every entry point may import, and the main one nothing else. */
const core = ['@nestjs/common', '@nestjs/core', 'rxjs', 'reflect-metadata'];

/** The optional peers that an entry point may import besides. */
const peersOf: Record<string, string[]> = {
  './gateway': ['@nestjs/websockets', '@nestjs/platform-socket.io', 'socket.io', 'jose'],
  './durable': ['pg-boss', '@electric-sql/pglite'],
  './rabbitmq': ['amqplib'],
  './nats': ['@nats-io/transport-node', '@nats-io/jetstream'],
  './webhook': ['undici'],
  './microservices': ['@nestjs/microservices'],
  './opentelemetry': ['@opentelemetry/api'],
  './terminus': ['@nestjs/terminus'],
  './testing': ['@nestjs/testing'],
};

/** Set by test/jest.dist.json, where `nestjs-emissions` is the built package. */
const onDist = 'testingDist' in globalThis;

const packageJson = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as PackageJson;
const sources = librarySources();

const entries = Object.entries(packageJson.exports).flatMap(([key, target]) =>
  typeof target === 'string' ? [] : [{ key, ...target }],
);
const keys = entries.map(({ key }) => key);
const nameOf = (key: string) => posix.join('nestjs-emissions', key);
const sourceOf = (built: string) => built.replace(/^\.\/dist\/(.*)\.js$/, '$1.ts');

describe('Entry points', () => {
  it('are exactly the index.ts files of lib', () => {
    const indexFiles = [...sources.keys()].filter((file) => posix.basename(file) === 'index.ts');

    expect(entries.map((entry) => sourceOf(entry.default)).sort()).toEqual(indexFiles.sort());
  });

  it('are called what their folder is called', () => {
    const folders = entries.map((entry) => posix.dirname(sourceOf(entry.default)));

    expect(folders.map((folder) => posix.basename(folder))).toEqual(
      keys.map((key) => posix.basename(key)),
    );
  });

  it('have their types beside their code', () => {
    expect(entries.map(({ types }) => types)).toEqual(
      entries.map((entry) => entry.default.replace(/\.js$/, '.d.ts')),
    );
  });

  it.each(keys)('can be imported by their name: %s', async (key) => {
    const module = (await import(nameOf(key))) as object;

    expect(Object.keys(module)).not.toEqual([]);
  });

  it.each(keys)('import what they may, and no more: %s', (key) => {
    const own = [...(peersOf[key] ?? []), ...Object.keys(packageJson.dependencies ?? {})];
    const allowed = key === '.' ? core : [...core, ...own];
    const strangers = packagesBehind(key).filter(([name]) => !allowed.includes(name));

    expect(strangers).toEqual([]);
  });

  it('import only packages that package.json declares', () => {
    const { dependencies, peerDependencies } = packageJson;
    const declared = Object.keys({ ...dependencies, ...peerDependencies });
    const undeclared = [...sources].flatMap(([file, source]) =>
      importsOf(source)
        .filter(({ specifier }) => !/^\.|^node:/.test(specifier))
        .filter(({ specifier }) => !declared.includes(packageOf(specifier)))
        .map(({ specifier }) => `${file} imports '${specifier}'`),
    );

    expect(undeclared).toEqual([]);
  });
});

if (onDist) {
  describe('The built package', () => {
    it('has every file that its exports name', () => {
      const files = entries.flatMap((entry) => [entry.types, entry.default]);

      expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([]);
    });

    it('loads no socket, driver or broker library with its main entry', () => {
      const optional = Object.entries(packageJson.peerDependenciesMeta)
        .filter(([, meta]) => meta.optional)
        .map(([name]) => name);
      const unwanted = new Set([...optional, 'engine.io', 'ws', 'pg']);
      const loaded = packagesLoadedBy('nestjs-emissions');

      expect(loaded).toContain('@nestjs/common');
      expect(loaded.filter((name) => unwanted.has(name))).toEqual([]);
    });

    it('loads the socket library with the gateway, so that the check above would see one', () => {
      expect(packagesLoadedBy('nestjs-emissions/gateway')).toContain('@nestjs/websockets');
    });
  });
}

/** Every package in the static import graph of an entry point, each with the file that wants it. */
function packagesBehind(key: string): [name: string, importedBy: string][] {
  const found = new Map<string, string>();
  const seen = new Set<string>();
  const visit = (file: string): void => {
    if (seen.has(file)) return;
    seen.add(file);
    for (const { kind, specifier } of importsOf(sources.get(file) ?? '')) {
      if (kind === 'dynamic' || specifier.startsWith('node:')) continue;
      const target = resolveWithin(file, specifier);
      if (target === undefined) found.set(packageOf(specifier), file);
      else visit(target);
    }
  };
  visit(sourceOf(entries.find((entry) => entry.key === key)!.default));
  return [...found];
}

function packageOf(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}

/** The packages a fresh process of plain Node has loaded after importing one module. */
function packagesLoadedBy(name: string): string[] {
  const script = `
    import { registerHooks } from 'node:module';
    const urls = [];
    registerHooks({ load: (url, context, next) => (urls.push(url), next(url, context)) });
    await import(${JSON.stringify(name)});
    console.log(JSON.stringify(urls));
  `;
  const child = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
    cwd: root,
    encoding: 'utf8',
  });
  expect(child.stderr).toBe('');
  const urls = JSON.parse(child.stdout) as string[];
  const packages = urls.map((url) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1] ?? '');
  return [...new Set(packages)];
}
