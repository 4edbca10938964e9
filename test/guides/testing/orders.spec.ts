// #region docs
import { afterEach, expect, it, jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { Emissions, OnEmission } from 'nestjs-emissions';
import {
  EmissionRecorder,
  emissionsTestingModule,
  settledInNoTime,
} from 'nestjs-emissions/testing';

@Injectable()
class Orders {
  constructor(private readonly emissions: Emissions) {}

  place(id: string) {
    this.emissions.emit('order.placed', { id });
  }
}

@Injectable()
class Mail {
  tries = 0;

  @OnEmission('order.placed', { retry: { attempts: 3, backoffMs: 60_000 } })
  confirm() {
    if (++this.tries < 3) throw new Error('The mail server is down');
  }
}

afterEach(() => {
  jest.useRealTimers();
});

it('says that an order was placed', async () => {
  const module = await Test.createTestingModule({
    imports: [emissionsTestingModule()],
    providers: [Orders],
  }).compile();
  module.get(Orders).place('1');
  expect(module.get(EmissionRecorder)).toHaveEmitted('order.placed', { payload: { id: '1' } });
  await module.close();
});

it('is done with its retries without anybody waiting for them', async () => {
  const module = await Test.createTestingModule({
    imports: [emissionsTestingModule()],
    providers: [Orders, Mail],
  }).compile();
  await module.init();
  jest.useFakeTimers();
  module.get(Orders).place('1');
  await settledInNoTime(module.get(Emissions)); // minutes of pauses, in milliseconds
  expect(module.get(Mail).tries).toBe(3);
  await module.close();
});
// #endregion
