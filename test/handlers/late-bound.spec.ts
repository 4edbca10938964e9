import { describe, expect, it } from '@jest/globals';
import type { Emission, HandlerContext } from 'nestjs-emissions';
import { lateBound } from '../../lib/handlers/late-bound.js';

const emission = { payload: 1 } as Emission<never>;
const context = { attempt: 1 } as HandlerContext;

class Owner {
  readonly heard: unknown[] = [];
  on(...given: unknown[]): unknown {
    this.heard.push(given);
    return this;
  }
}

function withoutGeneratedCode<T>(work: () => T): T {
  const generate = globalThis.Function;
  globalThis.Function = (() => {
    throw new EvalError('Code generation from strings disallowed for this context');
  }) as never;
  try {
    return work();
  } finally {
    globalThis.Function = generate;
  }
}

describe.each([
  ['with generated code', lateBound],
  [
    'without generated code',
    (owner: object, method: string) => withoutGeneratedCode(() => lateBound(owner, method)),
  ],
])('A handler that is bound late, %s', (_, bind) => {
  it('is called as a method, with all it is given, and returns what that returns', () => {
    const owner = new Owner();
    expect(bind(owner, 'on')(1 as never, emission, context)).toBe(owner);
    expect(owner.heard).toEqual([[1, emission, context]]);
  });

  it('is the method that is there when it is called: it may have been replaced', () => {
    const owner = new Owner();
    const on = bind(owner, 'on');
    owner.on = () => 'replaced';
    expect(on(1 as never, emission, context)).toBe('replaced');
  });

  it('may have any name', () => {
    for (const name of [
      'a"];process.exit(1);["',
      "'",
      '\\',
      '\u2028',
      '${x}',
      'two words',
      '1',
      '__proto__',
    ]) {
      const owner = Object.defineProperty({}, name, { value: () => name });
      expect(bind(owner, name)(1 as never, emission, context)).toBe(name);
    }
  });

  it('throws what the method throws', () => {
    const owner = {
      on: () => {
        throw new RangeError('no');
      },
    };
    expect(() => bind(owner, 'on')(1 as never, emission, context)).toThrow(RangeError);
  });
});
