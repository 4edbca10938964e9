import { describe, expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { EmissionRecorder, emissionsTestingModule } from 'nestjs-emissions/testing';
import { OrdersService } from './orders.service.js';

describe('the service of orders, by itself', () => {
  it('says that an order was placed', async () => {
    const module = await Test.createTestingModule({
      imports: [emissionsTestingModule()],
      providers: [OrdersService],
    }).compile();
    module.get(OrdersService).place({ id: '1', email: 'ada@example.org', total: 10 });
    const { payload } = module.get(EmissionRecorder).expectEmitted('order.placed');
    expect(payload.email).toBe('ada@example.org');
    await module.close();
  });
});
