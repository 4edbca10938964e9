// #region docs
import { expect, it } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { recordEmissions } from 'nestjs-emissions/testing';
import { AppModule } from './desk.js';

it('keeps what happened at a tenant there', async () => {
  const builder = Test.createTestingModule({ imports: [AppModule] });
  const recorder = recordEmissions(builder, { mode: 'strict' });
  const app = (await builder.compile()).createNestApplication();
  await app.listen(0);
  await fetch(`${await app.getUrl()}/tickets`, {
    method: 'POST',
    headers: { 'x-tenant': 'org-7' },
  });

  const counted = await recorder.next('ticket.counted');
  expect(counted).toMatchObject({ tenant: 'us', payload: { of: 'org-7' } });
  recorder.expectEmitted('ticket.opened', { tenant: 'org-7' });
  recorder.expectEmitted('ticket.assigned', { tenant: 'org-7' });
  recorder.verify(); // and nothing else
  await app.close();
});
// #endregion
