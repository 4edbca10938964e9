import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { EMISSIONS_CHANNELS } from 'nestjs-emissions';
import { emissionsHealthOptions } from '../lib/telemetry/terminus/health.options.js';
import {
  codeOf,
  errorsIn,
  linksOf,
  marked,
  messagesOf,
  pages,
  tableOf,
  textOf,
} from './support/documentation.js';
import { root } from './support/imports.js';

const TELEMETRY = 'docs/telemetry.md';

describe('The guides', () => {
  it('show code that compiles', () => {
    const blocks = pages().flatMap((page) => codeOf(page));
    expect(blocks.length).toBeGreaterThan(5);
    expect(errorsIn(blocks)).toEqual([]);
  }, 60_000);

  it('are found from the README, and lead to what is there', () => {
    expect(linksOf('README.md')).toEqual(expect.arrayContaining(pages()));
    for (const page of pages()) {
      for (const link of linksOf(page))
        expect([link, existsSync(join(root, link))]).toEqual([link, true]);
    }
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

  it('shows the Prometheus example that its test runs, to the letter', () => {
    const app = textOf('test/support/prometheus.app.ts');
    const [, region] = /\/\/ #region docs\n([^]*?)\/\/ #endregion/.exec(app)!;
    expect(textOf(TELEMETRY)).toContain(`\`\`\`ts\n${region!}\`\`\``);
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
