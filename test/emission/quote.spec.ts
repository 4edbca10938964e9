import { describe, expect, it } from '@jest/globals';
import { quote } from '../../lib/emission/quote.js';

class Unspeakable {
  static get name(): string {
    throw new Error('no name');
  }
  get [Symbol.toStringTag](): string {
    throw new Error('no tag');
  }
}

describe('quote', () => {
  it.each([
    ['text', "'text'"],
    [7n, '7n'],
    [undefined, 'undefined'],
    [{ a: [1, { b: 2 }] }, '{ a: [ 1, [Object] ] }'],
    [new TypeError('wrong'), 'TypeError: wrong'],
    [class Order {}, 'Order'],
    [() => 1, 'a function'],
  ])('shows %p as one would write it', (value, shown) => {
    expect(quote(value)).toBe(shown);
  });

  it.each([
    ['a long text', 'x'.repeat(10_000_000)],
    ['a long array', Array.from({ length: 1_000 }, (_, i) => i)],
    ['a text with line breaks', 'a\nb\n'.repeat(50)],
    ['an error within an object', { error: new Error('deep\nwithin') }],
    [
      'nested objects',
      { a: { b: {} }, list: [[1], [2]], text: 'x'.repeat(100), more: 'y'.repeat(100) },
    ],
  ])('keeps %s short and on one line', (_, value) => {
    expect(quote(value).length).toBeLessThanOrEqual(120);
    expect(quote(value)).not.toContain('\n');
  });

  it.each([
    ['a class whose name throws', Unspeakable, 'a value of type function that cannot be shown'],
    [
      'an object whose own way to be shown throws',
      {
        [Symbol.for('nodejs.util.inspect.custom')]() {
          throw new Error('no');
        },
      },
      'a value of type object that cannot be shown',
    ],
    [
      'a function whose name is a symbol',
      Object.defineProperty(() => 1, 'name', { value: Symbol('x') }),
      'a function',
    ],
  ])('never throws: %s', (_, value, shown) => {
    expect(quote(value)).toBe(shown);
  });

  it('never throws on a revoked proxy', () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(quote(proxy)).toContain('Revoked');
  });
});
