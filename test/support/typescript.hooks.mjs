/** Lets plain Node run the sources: `node --import ./test/support/typescript.hooks.mjs file.ts`, for tests with processes. */
import { existsSync, readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { transformSync } from '@swc/core';

const root = join(import.meta.dirname, '..', '..');

registerHooks({
  resolve(specifier, context, next) {
    const [, entry] = /^nestjs-emissions(?:\/(.*))?$/.exec(specifier) ?? [undefined, undefined];
    if (specifier.startsWith('nestjs-emissions')) {
      const folders = ['', 'brokers', 'telemetry'].map((floor) =>
        join(root, 'lib', floor, entry ?? ''),
      );
      const folder = folders.find((each) => existsSync(join(each, 'index.ts')));
      return { url: pathToFileURL(join(folder, 'index.ts')).href, shortCircuit: true };
    }
    if (
      specifier.startsWith('.') &&
      specifier.endsWith('.js') &&
      context.parentURL?.endsWith('.ts')
    ) {
      const url = new URL(specifier.replace(/\.js$/, '.ts'), context.parentURL);
      if (existsSync(fileURLToPath(url))) return { url: url.href, shortCircuit: true };
    }
    return next(specifier, context);
  },
  load(url, context, next) {
    if (!url.endsWith('.ts') || !url.startsWith('file:')) return next(url, context);
    const { code } = transformSync(readFileSync(fileURLToPath(url), 'utf8'), {
      swcrc: false,
      sourceMaps: 'inline',
      jsc: {
        target: 'es2023',
        keepClassNames: true,
        parser: { syntax: 'typescript', decorators: true },
        transform: {
          legacyDecorator: true,
          decoratorMetadata: true,
          useDefineForClassFields: true,
        },
      },
      module: { type: 'es6' },
    });
    return { format: 'module', source: code, shortCircuit: true };
  },
});
