import { describe, expect, it } from '@jest/globals';
import { ConfigurationError } from 'nestjs-emissions';
import { notInstalled } from '../../lib/durable/not-installed.js';

describe('An optional package', () => {
  it('is asked for when it is not installed', () => {
    const error = Object.assign(new Error('Cannot find it'), { code: 'ERR_MODULE_NOT_FOUND' });
    const refuse = () => notInstalled('Run: npm install it')(error);
    expect(refuse).toThrow(ConfigurationError);
    expect(refuse).toThrow('Run: npm install it');
  });

  it.each([
    Object.assign(new Error('Must use import'), { code: 'ERR_REQUIRE_ESM' }),
    new SyntaxError('Unexpected token'),
  ])('says itself why it cannot be loaded: %s', (error) => {
    expect(() => notInstalled('Run: npm install it')(error)).toThrow(error);
  });
});
