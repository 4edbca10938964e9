import { describe, expect, it } from '@jest/globals';
import { Injectable, Module, type ModuleMetadata } from '@nestjs/common';
import {
  ConfigurationError,
  DuplicateHandlerError,
  EmissionsModule,
  OnEmission,
  PatternError,
} from 'nestjs-emissions';
import { start } from '../support/app.js';

describe('The application does not start', () => {
  @Injectable()
  class Shared {
    @OnEmission('x')
    handle(): void {}
  }
  @Module({ providers: [Shared] })
  class First {}
  @Module({ providers: [Shared] })
  class Second {}
  @Injectable()
  class Named {
    @OnEmission('x', { id: 'one' })
    a(): void {}

    @OnEmission('y', { id: 'one' })
    b(): void {}
  }
  @Injectable()
  class Malformed {
    @OnEmission('order..*')
    handle(): void {}
  }
  @Injectable()
  class Unmarked {
    @OnEmission(class Plain {})
    handle(): void {}
  }
  @Injectable()
  class Misconfigured {
    @OnEmission('x', { concurrency: 0 })
    handle(): void {}
  }

  @Injectable()
  class Undefined {
    @OnEmission(undefined as never)
    handle(): void {}
  }
  @Injectable()
  class WithoutOptions {
    @OnEmission('x', null as never)
    handle(): void {}
  }
  @Injectable()
  class Nameless {
    @OnEmission('x', { id: '' })
    handle(): void {}
  }

  it.each([
    [
      'when a pattern is none, and says whose it is',
      { providers: [Undefined] },
      PatternError,
      /^The pattern undefined is refused: .* It is that of the handler Undefined\.handle\.$/,
    ],
    [
      'when options are none, and says whose they are',
      { providers: [WithoutOptions] },
      ConfigurationError,
      /The handler WithoutOptions\.handle takes an object, but got null/,
    ],
    [
      'when an id is none, and says whose it is',
      { providers: [Nameless] },
      ConfigurationError,
      /The handler Nameless\.handle\.id takes a non-empty string, but got ''/,
    ],
    [
      'when one class is provided in two modules',
      { imports: [First, Second] },
      DuplicateHandlerError,
      /'Shared\.handle': one in Shared \(module First\), one in Shared \(module Second\).*provide it in one module and export it/,
    ],
    [
      'when one class is provided twice in one module',
      { providers: [Shared, { provide: 'again', useClass: Shared }] },
      DuplicateHandlerError,
      /'Shared\.handle' is found twice in Shared \(module RootTestModule\)/,
    ],
    [
      'when two handlers have one id',
      { providers: [Named] },
      DuplicateHandlerError,
      /'one'.*id of its own: @OnEmission\(…, \{ id: '…' \}\)/,
    ],
    [
      'when a pattern is malformed',
      { providers: [Malformed] },
      PatternError,
      /'order\.\.\*' is refused/,
    ],
    ['when a class is not marked', { providers: [Unmarked] }, PatternError, /EmissionType.*Plain/],
    [
      'when an option is wrong',
      { providers: [Misconfigured] },
      Error,
      /The handler Misconfigured\.handle\.concurrency takes a whole number of 1 or more, but got 0/,
    ],
  ])('%s', async (_, metadata: ModuleMetadata, type, message) => {
    const { imports = [], ...rest } = metadata;
    const starting = start({ imports: [EmissionsModule.forRoot({}), ...imports], ...rest });
    const error = await starting.then(
      () => undefined,
      (reason: unknown) => reason,
    );

    expect(error).toBeInstanceOf(type);
    expect((error as Error).message).toMatch(message);
  });
});
