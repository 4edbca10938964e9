// #region docs
import { PGlite } from '@electric-sql/pglite';
import { expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { onSignal } from 'nestjs-emissions';
import { DurableDeliveries } from 'nestjs-emissions/durable';
import { recordEmissions } from 'nestjs-emissions/testing';
import { AppModule, OrderPlaced, Orders } from './invoices.js';

const order = new OrderPlaced('1', 'ada', new Date('2026-05-01T12:00:00Z'));

it('owes an invoice for each order', async () => {
  const app = await (await Test.createTestingModule({ imports: [AppModule] }).compile()).init();
  const completed = new Promise<string>((resolve) => {
    const stop = onSignal('emissions:delivery:completed', ({ id }) => (stop(), resolve(id)));
  });

  await app.get(Orders).place(order);
  const [delivery] = await app.get(DurableDeliveries).status(await completed);
  expect(delivery).toMatchObject({ handler: 'Invoices.write', state: 'completed', key: 'ada' });
  const { rows } = await app.get(PGlite).query('SELECT * FROM invoices');
  expect(rows).toEqual([{ order_id: '1', year: 2026 }]);
  await app.close();
  await app.get(PGlite).close(); // it was given, and so is ours to close
}, 30_000);

it('owes none for an order that is rolled back', async () => {
  const builder = Test.createTestingModule({ imports: [AppModule] });
  const recorder = recordEmissions(builder); // nothing is stored for durable handlers, nor run
  const app = await (await builder.compile()).init();
  await app.get(Orders).place(order);
  await expect(app.get(Orders).place(order)).rejects.toThrow(/duplicate key/);
  expect(recorder.named(OrderPlaced)).toHaveLength(1);
  await app.close();
  await app.get(PGlite).close(); // it was given, and so is ours to close
}, 30_000);
// #endregion
