import { describe, expect, it } from '@jest/globals';
import { ConfigurationError, EmissionType } from 'nestjs-emissions';
import { emissionTypeOf } from '../../lib/emission/emission-type.decorator.js';

@EmissionType('type-spec.created', { key: (event: Created) => event.id })
class Created {
  constructor(readonly id: string) {}
}

class Unmarked extends Created {}

@EmissionType('type-spec.reopened')
class Reopened extends Created {}

describe('A class marked with @EmissionType', () => {
  it('is known by its name, itself and its instances', () => {
    expect(emissionTypeOf(Created)?.name).toBe('type-spec.created');
    expect(emissionTypeOf(new Created('1'))?.name).toBe('type-spec.created');
  });

  it('derives the key from an instance', () => {
    expect(emissionTypeOf(new Created('7'))?.key?.(new Created('7') as never)).toBe('7');
  });

  it('does not pass its name on to a subclass, which is an emission of its own when it is marked too', () => {
    expect(emissionTypeOf(Unmarked)).toBeUndefined();
    expect(emissionTypeOf(new Unmarked('1'))).toBeUndefined();
    expect(emissionTypeOf(Reopened)).toEqual({ name: 'type-spec.reopened', version: 1 });
  });

  it.each([undefined, null, 7, 'text', {}, Object.create(null), { constructor: 'x' }, () => 1])(
    'is not taken for %j',
    (value) => {
      expect(emissionTypeOf(value)).toBeUndefined();
    },
  );
});

describe('@EmissionType', () => {
  it.each(['', 'order.*', 'two words', undefined as unknown as string])(
    'refuses the name %j where it is written, naming the class',
    (name) => {
      class Wrong {}
      expect(() => EmissionType(name)(Wrong)).toThrow(ConfigurationError);
      expect(() => EmissionType(name)(Wrong)).toThrow(/on Wrong: An emission's name is/);
    },
  );

  it.each([0, -1, 1.5, Number.NaN, '2' as never])('refuses the version %j', (version) => {
    class Wrong {}
    expect(() => EmissionType('wrong', { version })(Wrong)).toThrow(
      /@EmissionType\('wrong'\) on Wrong: version takes a whole number from 1, but got/,
    );
  });
});
