import { describe, expect, it } from '@jest/globals';
import type { OptionRule, OptionSet } from '../lib/emission/option-set.js';
import { documentedOptions, optionInterfaces } from './support/documented-options.js';

const all = documentedOptions();
const named = all.map((set) => [set.type, set] as const);

/** They are made of others that have rules, or nobody writes them. */
const WITHOUT_RULES = [
  'EmissionsOptions',
  'ResolvedHandlerOptions',
  'TenancyOptions',
  'RequestOptions',
];

/** What they leave out is taken from the module's options, not from rules of their own. */
const WITHOUT_DEFAULTS = ['BufferedOptions'];

async function rulesOf(file: string, name: string): Promise<Record<string, OptionRule>> {
  const module = (await import(`../lib/${file.replace(/\.ts$/, '.js')}`)) as Record<
    string,
    OptionSet<object>
  >;
  return module[name]!.rules;
}

/** A default so that two can be compared: functions by what they answer, options made of options not at all. */
function comparable(byDefault: unknown): unknown {
  if (typeof byDefault === 'function') return answersOf(byDefault as (status: number) => unknown);
  const isEmpty =
    typeof byDefault === 'object' && byDefault !== null && Object.keys(byDefault).length === 0;
  return isEmpty ? undefined : byDefault;
}

function answersOf(call: (status: number) => unknown): unknown {
  if (call.name === 'toWire') return call.name;
  return Array.from({ length: 500 }, (_, i) => 100 + i)
    .filter(call)
    .join();
}

/** The value of a `@default`; what an options file imports stands there by its name. */
function valueOf(byDefault: string): unknown {
  if (byDefault === 'toWire') return byDefault;
  // oxlint-disable-next-line typescript/no-implied-eval -- the doc comments are our own
  return new Function(`return (${byDefault});`)() as unknown;
}

describe('The options', () => {
  it('of every folder are found', () => {
    expect(all.map(({ type }) => type)).toEqual(
      expect.arrayContaining([
        ...['ConsumerOptions', 'RetryOptions', 'PipelineOptions', 'HandlerOptions', 'HttpOptions'],
        ...['BufferOptions', 'ResolvedEmissionsOptions', 'GatewayOptions'],
      ]),
    );
  });

  it('that are a type in an options file have rules', () => {
    const checked = new Set([...all.map(({ type }) => type), ...WITHOUT_RULES]);
    expect(optionInterfaces().filter((name) => !checked.has(name))).toEqual([]);
  });
});

describe.each(named)('%s', (type, { file, rules: name, options }) => {
  it('documents each option that has a rule, and has a rule for each that is documented', async () => {
    const documented = options.filter(({ text }) => text.length > 10);
    expect(documented.map((option) => option.name).sort()).toEqual(
      Object.keys(await rulesOf(file, name)).sort(),
    );
  });

  it('says with @default what its rules have for one, and is silent where they have none', async () => {
    const rules = await rulesOf(file, name);
    const stated = options.map(({ name: option, byDefault }) => [
      option,
      byDefault === undefined || WITHOUT_DEFAULTS.includes(type)
        ? undefined
        : comparable(valueOf(byDefault)),
    ]);
    expect(stated).toEqual(
      options.map(({ name: option }) => [option, comparable(rules[option]!.default)]),
    );
  });

  it('accepts its own defaults, and says of each option what it takes', async () => {
    for (const [option, rule] of Object.entries(await rulesOf(file, name))) {
      const accepted = rule.default === undefined || rule.check(rule.default, option) !== false;
      expect([option, accepted]).toEqual([option, true]);
      expect(rule.takes).toMatch(/^[a-z'].{5,}[^.]$/);
    }
  });
});
