import { describe, expect, it } from '@jest/globals';
import { createEmission, runHandler } from 'nestjs-emissions/testing';
import { boot } from './boot.js';
import { ConfirmationHandler } from './confirmation.handler.js';
import { PointsHandler } from './points.handler.js';

const placed = (total: number, email = 'ada@example.org') =>
  createEmission('order.placed', { id: '1', email, total });

describe('the handler of points', () => {
  it('gives one for every ten euros', async () => {
    await using shop = await boot();
    const outcome = await runHandler(shop.app, PointsHandler, 'credit', placed(75));
    expect(outcome).toEqual({ outcome: 'processed', result: 7 });
    expect(outcome.emitted).toMatchObject([{ name: 'points.earned', payload: { points: 7 } }]);
  });

  it('is not interested in less than fifty', async () => {
    await using shop = await boot();
    const outcome = await runHandler(shop.app, PointsHandler, 'credit', placed(49));
    expect(outcome).toEqual({ outcome: 'not-interested' });
  });

  it('ignores the shop’s own people', async () => {
    await using shop = await boot();
    const outcome = await runHandler(
      shop.app,
      PointsHandler,
      'credit',
      placed(75, 'me@shop.example'),
    );
    expect(outcome).toEqual({ outcome: 'ignored' });
    expect(outcome.emitted).toEqual([]);
  });
});

describe('the handler of confirmations', () => {
  it('throws what the mailer throws', async () => {
    await using shop = await boot();
    shop.mail.down = 1;
    const run = runHandler(shop.app, ConfirmationHandler, 'confirm', placed(10));
    await expect(run).rejects.toThrow('The mail server is down.');
  });
});
