import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { EMISSIONS_CHANNELS } from 'nestjs-emissions';
import { emissionsHealthOptions } from '../lib/telemetry/terminus/health.options.js';
import {
  anchorsOf,
  codeOf,
  errorsIn,
  linksOf,
  marked,
  messagesOf,
  pages,
  shownOf,
  tabledOptionsOf,
  tableOf,
  textOf,
} from './support/documentation.js';
import { documentedOptions } from './support/documented-options.js';
import { root } from './support/imports.js';

const INDEX = 'docs/README.md';
/** Tables of their own, checked below, or the same as others'. */
const ELSEWHERE = ['EmissionsHealthOptions', 'BufferedOptions'];

/** Options that are made of others, and those that the pipeline's hands on to consumers. */
const OF_OTHERS =
  /^\w+\.retry$|^ResolvedEmissionsOptions\.(?:topics|http|buffer|pipeline)$|^PipelineOptions\.(?!waitTimeoutMs|drainTimeoutMs)/;

const TELEMETRY = 'docs/telemetry.md';

describe('The guides', () => {
  it('show code that compiles, and so does the README', () => {
    const blocks = ['README.md', ...pages()]
      .flatMap((page) => codeOf(page))
      .filter(({ runs }) => runs === undefined);
    expect(blocks.length).toBeGreaterThan(5);
    expect(errorsIn(blocks)).toEqual([]);
  }, 60_000);

  it('show the examples that run, to the letter', () => {
    const shown = pages().flatMap((page) => codeOf(page).filter(({ runs }) => runs !== undefined));
    expect(shown.length).toBeGreaterThan(0);
    expect(shown.map(({ page, runs, code }) => [page, runs, code])).toEqual(
      shown.map(({ page, runs }) => [page, runs, shownOf(runs!)]),
    );
  });

  it('show every example that is made to be shown', () => {
    const examples = readdirSync(join(root, 'test', 'guides'), {
      recursive: true,
      encoding: 'utf8',
    })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => `test/guides/${file}`);
    const shown = pages().flatMap((page) => codeOf(page).map(({ runs }) => runs));
    expect(examples.filter((file) => !shown.includes(file))).toEqual([]);
  });

  it('name options there are, with the defaults they have', () => {
    const known = new Map(
      documentedOptions().flatMap(({ type, options }) =>
        options.map(({ name, byDefault }) => [`${type}.${name}`, byDefault ?? 'none']),
      ),
    );
    const tabled = pages().flatMap((page) => tabledOptionsOf(page));
    expect(tabled.length).toBeGreaterThan(20);
    expect(tabled.map((each) => [each.page, each.name, each.byDefault ?? 'none'])).toEqual(
      tabled.map(({ page, type, name }) => [page, name, known.get(`${type}.${name}`)]),
    );
  }, 60_000);

  it('name every option there is', () => {
    const tabled = new Set(
      pages().flatMap((page) => tabledOptionsOf(page).map(({ type, name }) => `${type}.${name}`)),
    );
    const missing = documentedOptions()
      .filter(({ type }) => !ELSEWHERE.includes(type))
      .flatMap(({ type, options }) => options.map(({ name }) => `${type}.${name}`))
      .filter((option) => !tabled.has(option) && !OF_OTHERS.test(option));
    expect(missing).toEqual([]);
  }, 60_000);

  it('are listed in their index, which the README leads to, and lead to what is there', () => {
    expect(linksOf('README.md')).toContain(INDEX);
    expect([INDEX, ...linksOf(INDEX)]).toEqual(expect.arrayContaining(pages()));
    for (const page of pages()) {
      for (const link of linksOf(page))
        expect([page, link, existsSync(join(root, link))]).toEqual([page, link, true]);
    }
  });
});

describe('Links', () => {
  it('to headings lead to one there is', () => {
    const links = ['README.md', 'CONTRIBUTING.md', ...pages()].flatMap((page) => anchorsOf(page));
    expect(links.length).toBeGreaterThan(5);
    expect(links.filter(([, isThere]) => !isThere)).toEqual([]);
  });
});

describe('The reference', () => {
  it('is made of every entry point', () => {
    const { entryPoints } = JSON.parse(textOf('lib/typedoc.json')) as { entryPoints: string[] };
    const { exports } = JSON.parse(textOf('package.json')) as { exports: Record<string, unknown> };
    const entries = Object.values(exports)
      .filter((target) => typeof target === 'object')
      .map((target) =>
        (target as { default: string }).default.replace(/^\.\/dist\/(.*)\.js$/, '$1.ts'),
      );
    expect(entryPoints.toSorted()).toEqual(entries.toSorted());
  });
});

describe('A check of the guides', () => {
  it('finds what does not compile, and where', () => {
    const block = { page: 'docs/a.md', line: 7, given: 'declare const a: string;', code: 'a.b();' };
    expect(errorsIn([block])).toEqual([
      "docs/a.md:7: Property 'b' does not exist on type 'string'.",
    ]);
  }, 60_000);
});

describe('The guide to telemetry', () => {
  it('lists every signal, with what its message holds', () => {
    const rows = tableOf(TELEMETRY, 'Channel').map(([channel, , message]) => [
      marked(channel!)[0]!,
      marked(message!).sort(),
    ]);
    expect(rows.map(([channel]) => channel)).toEqual(EMISSIONS_CHANNELS);
    expect(rows).toEqual([...messagesOf()]);
  });

  it('lists every threshold of health, with its default', () => {
    const rows = tableOf(TELEMETRY, 'Threshold').map(([name, byDefault]) => [
      marked(name!)[0]!,
      Number(marked(byDefault!)[0]),
    ]);
    const { rules } = emissionsHealthOptions;
    expect(rows).toEqual(Object.entries(rules).map(([name, rule]) => [name, rule.default]));
  });

  it('alerts about metrics there are', () => {
    const metrics = tableOf(TELEMETRY, 'Metric').map((row) => marked(row[4]!)[0]!);
    const [, alerts] = /```yaml\n([^]*?)```/.exec(textOf(TELEMETRY))!;
    const names = [...alerts!.matchAll(/\bemissions_(?!consumer|reason|kind)\w+/g)].map(([name]) =>
      name.replace(/_bucket$/, ''),
    );
    expect(names.length).toBeGreaterThan(5);
    expect(metrics).toEqual(expect.arrayContaining(names));
  });
});
