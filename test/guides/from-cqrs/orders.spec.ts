// #region docs
import { expect, it } from '@jest/globals';
import { CommandBus } from '@nestjs/cqrs';
import { Test } from '@nestjs/testing';
import { Emissions } from 'nestjs-emissions';
import { recordEmissions } from 'nestjs-emissions/testing';
import { AppModule, OrderPlaced, PlaceOrder, SendReceiptHandler } from './orders.js';

it('emits what aggregates apply, with the success of the work around it', async () => {
  const builder = Test.createTestingModule({ imports: [AppModule] });
  const recorder = recordEmissions(builder);
  const app = await (await builder.compile()).init();
  const emissions = app.get(Emissions);
  const place = (id: string) => app.get(CommandBus).execute(new PlaceOrder(id));

  await emissions.run(() => place('1'));
  const failed = emissions.run(async () => {
    await place('2');
    throw new Error('The card was refused');
  });
  await expect(failed).rejects.toThrow('refused');
  await emissions.settled();

  recorder.expectEmitted(OrderPlaced, { payload: { id: '1' } });
  recorder.expectNotEmitted(OrderPlaced, { payload: { id: '2' } });
  expect(app.get(SendReceiptHandler).sent).toEqual(['1']);
  await app.close();
});
// #endregion
