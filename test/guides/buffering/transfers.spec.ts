// #region docs
import { expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { EmissionRecorder, emissionsTestingModule } from 'nestjs-emissions/testing';
import { Transfers } from './transfers.js';

it('discards what a part of the work emitted, when that part fails', async () => {
  const module = await Test.createTestingModule({
    imports: [emissionsTestingModule()],
    providers: [Transfers],
  }).compile();
  const recorder = module.get(EmissionRecorder);
  const names = () => recorder.all().map(({ name }) => name);

  await module.get(Transfers).transfer(500);
  expect(names()).toEqual(['money.withdrawn', 'notice.written', 'money.paid-in']);

  recorder.reset();
  await module.get(Transfers).transfer(5_000);
  expect(names()).toEqual(['money.withdrawn', 'money.paid-in']);

  recorder.reset();
  await module.get(Transfers).closeOfBusiness(['a', 'b']);
  expect(names()).toEqual(['statement.due', 'statement.due']);
  await module.close();
});
// #endregion
