import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
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
    expect(bind(owner, 'on').handle(1 as never, emission, context)).toBe(owner);
    expect(owner.heard).toEqual([[1, emission, context]]);
  });

  it('is the method that is there when it is called: it may have been replaced', () => {
    const owner = new Owner();
    const on = bind(owner, 'on');
    owner.on = () => 'replaced';
    expect(on.handle(1 as never, emission, context)).toBe('replaced');
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
      expect(bind(owner, name).handle(1 as never, emission, context)).toBe(name);
    }
  });

  it('throws what the method throws', () => {
    const owner = {
      on: () => {
        throw new RangeError('no');
      },
    };
    expect(() => bind(owner, 'on').handle(1 as never, emission, context)).toThrow(RangeError);
  });
});

describe('A handler that is bound late, in an async context that is there already', () => {
  const storage = new AsyncLocalStorage<string>();
  const scope = storage.run('there', () => new AsyncResource('test'));

  it('is called as a method there, with all it is given, and the context ends with the call', () => {
    const owner = new Owner();
    const { handleIn } = lateBound(owner, 'on');
    owner.on = function (this: Owner, ...given) {
      return [this === owner, storage.getStore(), ...given];
    };
    expect(handleIn!(scope, emission, context)).toEqual([true, 'there', 1, emission, context]);
    expect(storage.getStore()).toBeUndefined();
  });

  it('is the method that is there when it is called, and throws what that throws', () => {
    const owner = new Owner();
    const { handleIn } = lateBound(owner, 'on');
    owner.on = () => {
      throw new RangeError('no');
    };
    expect(() => handleIn!(scope, emission, context)).toThrow(RangeError);
    expect(storage.getStore()).toBeUndefined();
  });

  it('may have any name', () => {
    const name = "a'];process.exit(1);['\\\u2028";
    const owner = { [name]: () => name };
    expect(lateBound(owner, name).handleIn!(scope, emission, context)).toBe(name);
  });

  it('is called the long way without generated code', () => {
    expect(withoutGeneratedCode(() => lateBound(new Owner(), 'on')).handleIn).toBeUndefined();
  });
});
