import { beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable, Module } from '@nestjs/common';
import {
  ConfigurationError,
  Emissions,
  EmissionsModule,
  OnEmission,
  type Emission,
} from 'nestjs-emissions';
import { RecordingAdapter } from './support/adapters.js';
import { start } from './support/app.js';
import { emit, emitAndSettle } from './support/emit.js';
import { silence } from './support/logs.js';

beforeEach(silence);

@Injectable()
class Audit extends RecordingAdapter {}

describe('forRoot', () => {
  @Injectable()
  class Counting {
    readonly seen: string[] = [];
    constructor(readonly emissions: Emissions) {}

    @OnEmission('*')
    handle(_payload: unknown, { name }: Emission): void {
      this.seen.push(name);
    }
  }

  it('is refused when it is imported twice', async () => {
    @Module({ imports: [EmissionsModule.forRoot({})] })
    class Feature {}
    const starting = start({ imports: [EmissionsModule.forRoot({}), Feature] });

    await expect(starting).rejects.toThrow(ConfigurationError);
    await expect(starting).rejects.toThrow(/imported 2 times.*forFeature/);
  });

  it('can be injected everywhere by default, and only where it is imported with isGlobal: false', async () => {
    @Module({ providers: [Counting] })
    class Feature {}
    await using running = await start({ imports: [EmissionsModule.forRoot({}), Feature] });
    expect(running.app.get(Counting).emissions).toBe(running.emissions);
    const local = EmissionsModule.forRoot({ isGlobal: false });
    await expect(start({ imports: [local, Feature] })).rejects.toThrow(
      /can't resolve dependencies/,
    );
    Module({ imports: [local], providers: [Counting] })(Feature);
    await using importing = await start({ imports: [local, Feature] });
    await emitAndSettle(importing.emissions, 'a');

    expect(importing.app.get(Counting).seen).toEqual(['a']);
  });

  it('gives each application of a process its own: they never meet', async () => {
    const application = () =>
      start({ imports: [EmissionsModule.forRoot({ adapters: [Audit] })], providers: [Counting] });
    await using one = await application();
    const two = await application();
    await Promise.all([
      one.emissions.run(() => {
        one.emissions.emit('of.one');
        // Within the buffer of one, two has none.
        expect(two.emissions.emit('of.nobody')).toBeUndefined();
      }),
      emit(two.emissions, 'of.two'),
    ]);
    await two.close();
    await emitAndSettle(one.emissions, 'after.two');

    expect(one.app.get(Audit).names).toEqual(['of.one', 'after.two']);
    expect(two.app.get(Audit).names).toEqual(['of.two']);
    await expect(emit(two.emissions, 'too.late')).rejects.toThrow(/closing/);
  });
});
