import { describe, expect, it } from '@jest/globals';
import { textOf } from './support/documentation.js';
import { librarySources } from './support/imports.js';

const PAGE = 'docs/errors.md';

/** Every code that lib/ writes, with the class whose constructor does; `–` where it is none. */
function codesOf(sources: Iterable<string>): Map<string, string> {
  const codes = new Map<string, string>();
  for (const source of sources) {
    for (const { 0: written, index } of source.matchAll(/'EMISSIONS_[A-Z_]+'/g)) {
      const code = written.slice(1, -1);
      const before = source.slice(0, index);
      if (/new EmissionsError\(\s*$/.test(before)) codes.set(code, 'EmissionsError');
      const [, name] =
        /class (\w+) extends EmissionsError \{(?:(?!\nclass |\nexport )[^])*super\(\s*$/.exec(
          before,
        ) ?? [];
      if (name !== undefined) codes.set(code, name);
      else if (!codes.has(code)) codes.set(code, '–');
    }
  }
  return codes;
}

const codes = codesOf(librarySources().values());
const rows = [...textOf(PAGE).matchAll(/^\| `(EMISSIONS_\w+)` \| (\S+) \| (.+) \| (.+) \|$/gm)];

describe('The page of errors', () => {
  it('lists every code there is, with its class, and none that there is not', () => {
    const listed = rows.map(([, code, name]) => [code!, name!.replaceAll('`', '')] as const);
    expect(codes.size).toBeGreaterThan(40);
    expect(new Map(listed)).toEqual(codes);
    expect(listed.length).toBe(codes.size);
  });

  it('says of each what brought it about, and what mends it', () => {
    const lengths = rows.flatMap(([, code, , cause, mend]) => [
      [code, cause!.trim().length > 10],
      [code, mend!.trim().length > 3],
    ]);
    expect(lengths.filter(([, isSaid]) => isSaid !== true)).toEqual([]);
  });

  it('names options and methods that are written somewhere in the library', () => {
    const sources = [...librarySources().values()].join('\n');
    const names = rows.flatMap(([row]) =>
      [...row!.matchAll(/`([a-z]\w+)`/g)].map(([, name]) => name!),
    );
    expect(names.length).toBeGreaterThan(20);
    expect(names.filter((name) => !new RegExp(`\\b${name}\\b`).test(sources))).toEqual([]);
  });
});

describe('A code', () => {
  it('is found in the constructor of its class, and where an error is made of it', () => {
    const source = `
      class ShopError extends EmissionsError {\n constructor() {\n super('EMISSIONS_SHOP', 'Closed'); } }
      throw new EmissionsError('EMISSIONS_PLAIN', 'No');
      notice({ code: 'EMISSIONS_SENT' });
    `;
    expect([...codesOf([source])]).toEqual([
      ['EMISSIONS_SHOP', 'ShopError'],
      ['EMISSIONS_PLAIN', 'EmissionsError'],
      ['EMISSIONS_SENT', '–'],
    ]);
  });
});
