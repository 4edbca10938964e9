import { describe, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { recordEmissions } from 'nestjs-emissions/testing';
import { AppModule } from '../app.module.js';
import { Pace } from './pace.js';

const headers = { authorization: 'Bearer demo-harbour', 'content-type': 'application/json' };
const body = JSON.stringify({ article: 'Hand grinder', quantity: 2, customer: 'Ada' });

describe('POST /orders', () => {
  it('emits order.created for the tenant of the request', async () => {
    const builder = Test.createTestingModule({ imports: [AppModule] });
    builder.overrideProvider(Pace).useValue({ wait: async () => {} });
    const recorder = recordEmissions(builder);
    const app = (await builder.compile()).createNestApplication();
    await app.listen(0, '127.0.0.1');
    await fetch(`${await app.getUrl()}/orders`, { method: 'POST', headers, body });
    recorder.expectEmitted('order.created', { payload: { total: 170 }, tenant: 'harbour-coffee' });
    await app.close();
  });
});
