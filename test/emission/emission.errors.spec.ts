import { describe, expect, it } from '@jest/globals';
import * as library from 'nestjs-emissions';
import {
  ConfigurationError,
  EmissionsError,
  InvalidEmissionError,
  PartialDeliveryError,
  PatternError,
  PayloadError,
} from 'nestjs-emissions';

const cause = new Error('the cause');

describe.each([
  [new ConfigurationError('m', { cause }), 'ConfigurationError', 'EMISSIONS_CONFIGURATION'],
  [new InvalidEmissionError('m', { cause }), 'InvalidEmissionError', 'EMISSIONS_INVALID'],
  [new PayloadError('payload.x', 'why', { cause }), 'PayloadError', 'EMISSIONS_PAYLOAD'],
  [new PatternError('a..b', 'why', { cause }), 'PatternError', 'EMISSIONS_PATTERN'],
  [new PartialDeliveryError([], { cause }), 'PartialDeliveryError', 'EMISSIONS_PARTIAL_DELIVERY'],
])('%s', (error, name, code) => {
  it(`is an EmissionsError named ${name} with the code ${code}, and keeps its cause`, () => {
    expect(error).toBeInstanceOf(EmissionsError);
    expect(error).toBeInstanceOf(Error);
    expect([error.name, error.code, error.cause]).toEqual([name, code, cause]);
  });
});

describe('Errors', () => {
  it('of this package all derive from EmissionsError', () => {
    const errors = Object.entries(library).filter(([name]) => name.endsWith('Error'));
    expect(errors.length).toBeGreaterThan(5);
    for (const [, type] of errors) {
      const { prototype } = type as { prototype: object };
      expect(prototype === EmissionsError.prototype || prototype instanceof EmissionsError).toBe(
        true,
      );
    }
  });

  it('of a payload lead to the culprit and say what to emit instead', () => {
    const error = new PayloadError('payload.items[2].callback', 'it is a function (callback)');
    expect(error.path).toBe('payload.items[2].callback');
    expect(error.message).toMatch(
      /^payload\.items\[2\]\.callback cannot be emitted: it is a function \(callback\)\. Emit plain data/,
    );
  });

  it('of a partial delivery carry what failed and count it', () => {
    const failed = [{ id: '1' }, { id: '2' }] as never[];
    expect(new PartialDeliveryError(failed).failed).toBe(failed);
    expect(new PartialDeliveryError(failed).message).toMatch(/^2 of the batch/);
  });
});
