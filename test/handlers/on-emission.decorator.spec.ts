import { describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Buffered, ConfigurationError, EmissionsModule, OnEmission } from 'nestjs-emissions';
import { RecordingAdapter } from '../support/adapters.js';
import { start } from '../support/app.js';
import { emitAndSettle } from '../support/emit.js';

describe('@OnEmission', () => {
  it.each([
    [
      'a static method',
      'Misplaced.handle',
      () => {
        class Misplaced {
          @OnEmission('a')
          static handle(): void {}
        }
        return Misplaced;
      },
    ],
    [
      'a property',
      'Misplaced.handler',
      () => {
        class Misplaced {
          @(OnEmission('a') as PropertyDecorator)
          handler = (): void => {};
        }
        return Misplaced;
      },
    ],
    [
      'an accessor',
      'Misplaced.got',
      () => {
        class Misplaced {
          @(OnEmission('a') as MethodDecorator)
          get got(): string {
            return '';
          }
        }
        return Misplaced;
      },
    ],
  ])('is refused on %s, where nobody would find it', (_, name, declaring) => {
    expect(declaring).toThrow(ConfigurationError);
    expect(declaring).toThrow(new RegExp(`@OnEmission on ${name}: it marks methods`));
  });

  it('is refused on a method that has a symbol for a name', () => {
    const secret = Symbol('secret');
    const declaring = (): unknown => {
      class Misplaced {
        @OnEmission('a')
        [secret](): void {}
      }
      return Misplaced;
    };
    expect(declaring).toThrow(/@OnEmission on Misplaced\.Symbol\(secret\): .* Give it a name/);
  });

  it('stands above and below other decorators that keep the metadata', async () => {
    @Injectable()
    class Mixed {
      readonly called: string[] = [];

      @OnEmission('a')
      @Buffered()
      above(): void {
        this.called.push('above');
      }

      @Buffered()
      @OnEmission('a')
      below(): void {
        this.called.push('below');
      }
    }
    await using running = await start({
      imports: [EmissionsModule.forRoot({ adapters: [RecordingAdapter] })],
      providers: [Mixed],
    });
    await emitAndSettle(running.emissions, 'a');

    expect(running.app.get(Mixed).called).toEqual(['above', 'below']);
  });

  it('calls what the host has under that name at the moment, as a spy put there later', async () => {
    @Injectable()
    class Host {
      @OnEmission('a')
      handle(): void {}
    }
    await using running = await start({
      imports: [EmissionsModule.forRoot({})],
      providers: [Host],
    });
    let spied = 0;
    running.app.get(Host).handle = () => void spied++;
    await emitAndSettle(running.emissions, 'a');

    expect(spied).toBe(1);
  });
});
