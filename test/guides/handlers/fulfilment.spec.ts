// #region docs
import { expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { Emissions } from 'nestjs-emissions';
import {
  createEmission,
  EmissionRecorder,
  emissionsTestingModule,
  runHandler,
} from 'nestjs-emissions/testing';
import { Fulfilment } from './fulfilment.js';

const boot = async () => {
  const module = await Test.createTestingModule({
    imports: [emissionsTestingModule()],
    providers: [Fulfilment],
  }).compile();
  await module.init();
  const recorder = module.get(EmissionRecorder);
  const emit = (payload: object) => {
    const emissions = module.get(Emissions);
    return emissions.run(() => void emissions.emit('order.placed', payload));
  };
  return { module, recorder, emit };
};

it('ships, and thanks', async () => {
  const { module, recorder, emit } = await boot();
  await emit({ id: '1', total: 30 });
  const thanked = await recorder.next('customer.thanked');
  const placed = recorder.expectEmitted('order.placed');
  expect(thanked).toMatchObject({ depth: 2, correlationId: placed.correlationId });
  await module.close();
});

it('is one call of a handler, by itself', async () => {
  const { module } = await boot();
  const ship = (id: string, total: number) =>
    runHandler(module, Fulfilment, 'ship', createEmission('order.placed', { id, total }));
  expect(await ship('1', 30)).toMatchObject({ outcome: 'processed', result: '1' });
  expect(await ship('2', 0)).toMatchObject({ outcome: 'not-interested' });
  expect(await ship('test', 30)).toMatchObject({ outcome: 'ignored', emitted: [] });
  await module.close();
});

it('refuses the whole commit when a critical handler throws', async () => {
  const { module, recorder, emit } = await boot();
  await expect(emit({ id: '1', total: -1 })).rejects.toThrow('less than nothing');
  expect(recorder.all()).toEqual([]);
  await module.close();
});
// #endregion
