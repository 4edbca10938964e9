// #region docs
import { expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { Emissions } from 'nestjs-emissions';
import { recordEmissions } from 'nestjs-emissions/testing';
import { AppModule, Register } from './catalog.js';

it('reaches those whose pattern takes the name', async () => {
  const builder = Test.createTestingModule({ imports: [AppModule] });
  recordEmissions(builder);
  const app = await (await builder.compile()).init();
  const emissions = app.get(Emissions);
  await emissions.run(() => {
    emissions.emit('parcel.sent');
    emissions.emit('parcel.return.asked');
  });
  await emissions.settled();
  expect(app.get(Register).heard.toSorted()).toEqual([
    'all parcel.return.asked',
    'all parcel.sent',
    'either parcel.return.asked',
    'one parcel.sent',
    'some parcel.sent of parcels',
  ]);
  await app.close();
});
// #endregion
