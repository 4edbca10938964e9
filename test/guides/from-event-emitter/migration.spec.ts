// #region docs
import { expect, it, jest } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { EventEmitter2, EventEmitterModule } from '@nestjs/event-emitter';
import { Emissions } from 'nestjs-emissions';
import { EmissionRecorder, emissionsTestingModule } from 'nestjs-emissions/testing';
import { AppModule as After } from './after.js';
import { AppModule as Before } from './before.js';
import { Bridge } from './bridge.js';

it.each([Before, After])('sends the same receipts', async (root) => {
  const log = jest.spyOn(console, 'log').mockImplementation(() => {});
  const module = await Test.createTestingModule({ imports: [root] }).compile();
  const app = module.createNestApplication();
  await app.listen(0);
  await fetch(`${await app.getUrl()}/orders`, { method: 'POST' });
  if (root === After) await app.get(Emissions).settled();
  expect(log.mock.calls).toEqual([['1']]);
  await app.close();
  log.mockRestore();
});

it('lets both be used while one moves over', async () => {
  const module = await Test.createTestingModule({
    imports: [EventEmitterModule.forRoot(), emissionsTestingModule()],
    providers: [Bridge],
  }).compile();
  await module.init();
  const emissions = module.get(Emissions);
  await emissions.run(() => void module.get(EventEmitter2).emit('order.placed', { id: '1' }));
  module.get(EmissionRecorder).expectEmitted('order.placed', { payload: { id: '1' } });
  await module.close();
});
// #endregion
