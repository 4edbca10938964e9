// #region docs
import { expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { Emissions } from 'nestjs-emissions';
import { recordEmissions } from 'nestjs-emissions/testing';
import { AppModule, Receipts } from './orders.js';

it('says that an order was placed, and sends a receipt', async () => {
  const builder = Test.createTestingModule({ imports: [AppModule] });
  const recorder = recordEmissions(builder);
  const app = (await builder.compile()).createNestApplication();
  await app.listen(0);
  const post = async (order: object) =>
    fetch(`${await app.getUrl()}/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(order),
    });

  await post({ id: '1', quantity: 2 });
  await post({ id: '2', quantity: 20 });
  await app.get(Emissions).settled(); // queues, handlers, retries and cascades are done

  recorder.expectEmitted('order.placed', { payload: { id: '1' } });
  recorder.expectNotEmitted('order.placed', { payload: { id: '2' } });
  expect(app.get(Receipts).sent).toEqual(['1']);
  await app.close();
});
// #endregion
