import { describe, expect, it } from '@jest/globals';
import { ConfigurationError } from 'nestjs-emissions';
import { checkAsyncOptions, checkOptions } from '../../lib/emission/async-options.js';

class Maker {}
const make = () => ({});
const refused = (options: unknown) => () =>
  checkAsyncOptions('forRootAsync', options as object, ['path']);

describe('Options that are made when the application starts', () => {
  it.each<[string, object]>([
    ['a function', { useFactory: make }],
    ['a function that waits', { useFactory: async () => ({}), inject: [], imports: [Maker] }],
    ['a method, whatever its name', { useFactory: { class() {} }.class }],
    ['a bound function', { useFactory: make.bind(undefined) }],
    ['a class', { useClass: Maker }],
    ['a class as older compilers write it', { useClass: function Maker5() {} }],
    ['a provider by its class', { useExisting: Maker }],
    ['a provider by a symbol', { useExisting: Symbol('token') }],
    [
      'a provider by a text, from elsewhere',
      { useExisting: 'TOKEN', provideInjectionTokensFrom: [] },
    ],
    ['what the module has beside it', { useFactory: make, path: '/ws' }],
    ['what it inherits', Object.create({ useFactory: make }) as object],
    ['nothing else, written out', { useFactory: make, useClass: undefined, useExisting: null }],
    ['something unknown that is not there', { useFactory: make, other: undefined }],
  ])('come from %s', (_, options) => {
    expect(checkAsyncOptions('forRootAsync', options, ['path'])).toBe(options);
  });

  it.each<[string, unknown, RegExp]>([
    ['nothing', undefined, /takes an object of options, but got undefined/],
    ['an array', [make], /takes an object of options, but got/],
    ['what is unknown and null', { useFactory: make, maxDepth: null }, /no option "maxDepth"/],
    ['a class without a name', { useFactory: class {} }, /a function \(a class: useClass\)/],
    ['nobody', { inject: [] }, /exactly one of useFactory, useClass, useExisting, but got none/],
    ['two', { useFactory: make, useClass: Maker }, /but got useFactory and useClass/],
    [
      'a class for a function',
      { useFactory: Maker },
      /a function \(a class: useClass\) as useFactory/,
    ],
    [
      'a function for a class',
      { useClass: make },
      /a class \(a function: useFactory\) as useClass/,
    ],
    ['no token', { useExisting: 7 }, /the token of a provider: .* as useExisting, but got 7/],
    ['an empty token', { useExisting: '' }, /as useExisting, but got ''/],
    ['imports that are none', { useFactory: make, imports: Maker }, /an array as imports, but got/],
    ['one token to inject', { useFactory: make, inject: 'A' }, /an array as inject, but got 'A'/],
    [
      'an option that belongs into the factory',
      { useFactory: make, maxDepth: 3 },
      /no option "maxDepth" beside the factory; return it from there, if the module has it\. Beside it: imports, inject, path, /,
    ],
  ])('do not come from %s', (_, options, message) => {
    expect(refused(options)).toThrow(ConfigurationError);
    expect(refused(options)).toThrow(message);
  });

  it('are told apart from what is none, with what to write', () => {
    expect(checkOptions('forRoot', {})).toEqual({});
    expect(() => checkOptions('forRoot', 7 as never, 'Write forRoot({}).')).toThrow(
      /^forRoot takes an object of options, but got 7\. Write forRoot\(\{\}\)\.$/,
    );
    expect(() => checkOptions('forRoot', 7 as never)).toThrow(/but got 7\.$/);
  });
});
