import { describe, expect, it } from '@jest/globals';
import { PayloadError } from 'nestjs-emissions';
import { snapshot } from '../../lib/emission/snapshot.js';
import { errorOf } from '../support/parts.js';

describe('A snapshot of a hostile object is a PayloadError and nothing else:', () => {
  const { proxy: revoked, revoke } = Proxy.revocable([], {});
  revoke();
  const boom = (): never => {
    throw new Error('boom');
  };
  const traps = ['get', 'ownKeys', 'getPrototypeOf', 'getOwnPropertyDescriptor', 'has'] as const;

  it.each([
    ['revoked proxy', revoked],
    [
      'array that lies about its length',
      new Proxy([1], { get: (_, key) => (key === 'length' ? 4e9 : 1) }),
    ],
    [
      'array whose length is no number',
      new Proxy([1], { get: (_, key) => (key === 'length' ? {} : 1) }),
    ],
    ['array that throws', new Proxy([1], { get: boom })],
    ['error whose message throws', Object.defineProperty(new Error(), 'message', { get: boom })],
    ['error whose stack throws', Object.defineProperty(new Error(), 'stack', { get: boom })],
    [
      'class that throws its name',
      {
        f: class {
          static get name(): string {
            return boom();
          }
        },
      },
    ],
    [
      'getter that throws something strange',
      {
        get a() {
          throw Object.create(null);
        },
      },
    ],
    [
      'getter that throws a PayloadError of another',
      {
        get a() {
          throw new PayloadError('b', 'c');
        },
      },
    ],
    [
      'tag that throws',
      Object.create({
        get [Symbol.toStringTag]() {
          return boom();
        },
      }) as object,
    ],
    [
      'typed array of a class that throws',
      new (class extends Uint8Array {
        static get [Symbol.species](): never {
          return boom();
        }
      })(2),
    ],
    ['detached buffer', detached()],
    ...traps.map(
      (trap) => [`proxy whose ${trap} throws`, new Proxy({ a: 1 }, { [trap]: boom })] as const,
    ),
    ...traps.map(
      (trap) =>
        [
          `instance proxy whose ${trap} throws`,
          new Proxy(
            new (class A {
              a = 1;
            })(),
            { [trap]: boom },
          ),
        ] as const,
    ),
  ])('%s', (name, hostile) => {
    const harmless = /proxy whose (getPrototypeOf|getOwnPropertyDescriptor|has)/.test(name);
    for (const value of [
      hostile,
      { in: hostile },
      [hostile],
      new Map([[1, hostile]]),
      new Set([hostile]),
      new Map([[hostile, 1]]),
    ]) {
      const error = errorOf(() => snapshot(value));
      if (error === undefined && harmless) continue;
      expect(error).toBeInstanceOf(PayloadError);
      expect((error as PayloadError).path).toMatch(/^payload/);
    }
  });

  it('an array with a constructor of its own is copied as the array it is', () => {
    const mine = { open: true };
    function Sly(): object {
      return mine;
    }
    const sly = [1, 2];
    const constructor = { [Symbol.species]: Sly };
    Object.defineProperty(sly, 'constructor', { value: constructor });
    expect(snapshot({ sly }).sly).toEqual([1, 2]);
    expect(Object.isFrozen(mine)).toBe(false);
    expect(Object.keys(mine)).toEqual(['open']);
  });

  it('what somebody gave to all objects is no part of the copy', () => {
    try {
      Object.assign(Object.prototype, { polluted: { deep: 1 } });
      expect(Object.keys(snapshot({ a: { b: 1 } }).a)).toEqual(['b']);
      expect(Object.keys(snapshot({ a: new Date(0) }))).toEqual(['a']);
    } finally {
      delete (Object.prototype as { polluted?: unknown }).polluted;
    }
  });

  it('a proxy of plain data is plain data', () => {
    expect(snapshot(new Proxy({ a: [1] }, {}))).toEqual({ a: [1] });
  });
});

function detached(): Uint8Array {
  const bytes = new Uint8Array(4);
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  return bytes;
}
