import { beforeEach, describe, expect, it } from '@jest/globals';
import { Inject, Injectable, Scope, type OnModuleInit } from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import { ConfigurationError, EmissionsModule } from 'nestjs-emissions';
import { RecordingAdapter } from './support/adapters.js';
import { start } from './support/app.js';
import { captureLogs, silence } from './support/logs.js';

beforeEach(silence);

@Injectable()
class AuditAdapter extends RecordingAdapter {}

const startWith = (adapters: unknown) =>
  start({ imports: [EmissionsModule.forRoot({ adapters: adapters as never })] });

describe('The application does not start', () => {
  @Injectable()
  class Failing extends RecordingAdapter implements OnModuleInit {
    onModuleInit(): never {
      throw new Error('broker unreachable');
    }
  }
  @Injectable({ scope: Scope.REQUEST })
  class RequestScoped extends RecordingAdapter {}
  @Injectable()
  class Bubbling extends RecordingAdapter {
    constructor(@Inject(REQUEST) readonly request: unknown) {
      super();
    }
  }
  class NoAdapter {
    send(): void {}
  }
  const recorder = new RecordingAdapter();

  it.each<[string, unknown, RegExp]>([
    [
      'when two are registered with one name',
      [
        { name: 'x', useValue: recorder },
        { name: 'x', useClass: AuditAdapter },
      ],
      /Two adapters are registered with the name 'x'/,
    ],
    [
      'when a class is no adapter',
      [NoAdapter],
      /'NoAdapter' has no method deliver\(batch, context\)/,
    ],
    [
      'when a factory makes none',
      [{ useFactory: () => undefined }],
      /'adapter' has no method deliver.*undefined/,
    ],
    ['when it is request-scoped', [RequestScoped], /RequestScoped is request-scoped/],
    ['when it injects the request', [{ useClass: Bubbling }], /Bubbling is request-scoped/],
    [
      'when it is made of something request-scoped',
      [{ useFactory: () => recorder, inject: [REQUEST] }],
      /that a factory makes is request-scoped/,
    ],
    [
      'when its consumer options are wrong',
      [{ name: 'x', useValue: recorder, consumer: { batchSize: 0 } }],
      /The adapter x: consumer\.batchSize takes a whole number/,
    ],
    [
      'for a registration that is nothing',
      [undefined],
      /adapters\[0\] takes a class or \{ useClass/,
    ],
    ['for an arrow function', [AuditAdapter, () => recorder], /adapters\[1\] takes a class or/],
    ['for an instance', [recorder], /adapters\[0\] has no option "batches"\. It has: .*useValue/],
    [
      'for two providers in one',
      [{ useValue: recorder, useClass: AuditAdapter }],
      /exactly one of useClass, useFactory.*got useClass and useValue/,
    ],
    ['for none', [{ name: 'x' }], /exactly one of .*got none/],
    [
      'for a class that is not there yet, as in a circle of imports',
      [{ useClass: undefined }],
      /got none/,
    ],
    [
      'for options without a class',
      [{ useValue: recorder, options: {} }],
      /"options" goes with useClass/,
    ],
    [
      'for inject without a factory',
      [{ useClass: AuditAdapter, inject: ['clock'] }],
      /"inject" goes with useFactory/,
    ],
    [
      'for an empty name',
      [{ name: '', useValue: recorder }],
      /adapters\[0\]\.name takes a non-empty string/,
    ],
    [
      'for adapters that are no list',
      { useValue: recorder },
      /adapters takes an array of registrations/,
    ],
  ])('%s', async (_, adapters, message) => {
    const starting = async () => startWith(adapters);
    const error = await starting().then(
      () => undefined,
      (reason: unknown) => reason,
    );

    expect(error).toBeInstanceOf(ConfigurationError);
    expect((error as Error).message).toMatch(message);
  });

  it("when an adapter's onModuleInit fails, and says why", async () => {
    using logs = captureLogs();
    await expect(startWith([AuditAdapter, Failing])).rejects.toThrow('broker unreachable');
    expect(logs.of('log').filter((line) => line.includes('delivered'))).toEqual([]);
  });

  it('when a factory fails, and says why', async () => {
    const useFactory = () => Promise.reject(new Error('no credentials'));

    await expect(startWith([{ useFactory }])).rejects.toThrow('no credentials');
  });
});
