import { describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { Emissions, EmissionsModule, OnEmission } from 'nestjs-emissions';
import { DurableDeliveries, EmissionsDurableModule } from 'nestjs-emissions/durable';
import { emissionsTestingModule, recordEmissions } from 'nestjs-emissions/testing';

@Injectable()
class Handlers {
  readonly taken: unknown[] = [];

  @OnEmission('order.*', { durable: true })
  take(payload: unknown): void {
    this.taken.push(payload);
  }
}

describe('Under a recorder, durable handlers', () => {
  it('connect to nothing, and run within the commit in inline mode alone', async () => {
    const builder = Test.createTestingModule({
      imports: [
        EmissionsModule.forRoot(),
        // Nobody is there: whoever connected would fail the start.
        EmissionsDurableModule.forRoot({ connectionString: 'postgres://nobody@127.0.0.1:1/none' }),
      ],
      providers: [Handlers],
    });
    const recorder = recordEmissions(builder);
    const app = (await builder.compile()).createNestApplication({ logger: false });
    await app.init();
    const emissions = app.get(Emissions);
    const { taken } = app.get(Handlers);

    await emissions.run(() => void emissions.emit('order.placed', 1));
    recorder.expectEmitted('order.placed', { payload: 1 });
    expect(taken).toEqual([]);

    recorder.use('inline');
    await emissions.run(() => void emissions.emit('order.placed', 2));
    expect(taken).toEqual([2]);
    expect(await app.get(DurableDeliveries).failed()).toEqual([]);
    await app.close();
  });

  it('need no database in a module for tests', async () => {
    const module = await Test.createTestingModule({
      imports: [emissionsTestingModule({ mode: 'inline' })],
      providers: [Handlers],
    }).compile();
    await module.init();
    const emissions = module.get(Emissions);
    await emissions.run(() => void emissions.emit('order.placed', 3));
    expect(module.get(Handlers).taken).toEqual([3]);
    await module.close();
  });
});
