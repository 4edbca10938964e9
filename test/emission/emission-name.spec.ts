import { describe, expect, it } from '@jest/globals';
import { InvalidEmissionError } from 'nestjs-emissions';
import { assertName } from '../../lib/emission/emission-name.js';

describe("An emission's name", () => {
  it.each([
    'a',
    'order.created',
    'Order/Created:v2',
    'bestellung.größe',
    'x'.repeat(256),
    '__proto__',
  ])('may be %j', (name) => {
    expect(() => assertName(name)).not.toThrow();
  });

  it.each([
    ['missing', undefined, 'undefined'],
    ['null', null, 'null'],
    ['empty', '', "''"],
    ['a number', 7, '7'],
    ['an object', { name: 'x' }, "{ name: 'x' }"],
    ['with a space', 'order created', "'order created'"],
    ['with a line break', 'order\ncreated', String.raw`'order\ncreated'`],
    ['with a control character', 'order\u0000', String.raw`'order\x00'`],
    ['with a wildcard', 'order.*', "'order.*'"],
    ['longer than 256', 'x'.repeat(257), 'more characters'],
  ])('is refused when it is %s, with what it got', (_, name, shown) => {
    expect(() => assertName(name)).toThrow(InvalidEmissionError);
    expect(() => assertName(name)).toThrow(`but got ${shown.startsWith('more') ? "'xxx" : shown}`);
  });
});
