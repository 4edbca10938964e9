import { describe, expect, it } from '@jest/globals';
import { boot } from './boot.js';

const order = { id: '1', email: 'ada@example.org', total: 30 };

describe('POST /orders', () => {
  it('emits order.placed', async () => {
    await using shop = await boot();
    await shop.post(order);
    const placed = shop.recorder.expectEmitted('order.placed', { payload: { total: 30 } });
    expect(placed.key).toBe('1');
  });

  it('emits nothing when it fails, though it had emitted before it did', async () => {
    await using shop = await boot();
    const { status } = await shop.post({ ...order, total: -1 });
    expect(status).toBe(400);
    expect(shop.recorder).not.toHaveEmitted('order.placed');
  });

  it('has a confirmation sent: what a handler emits is waited for, not slept for', async () => {
    await using shop = await boot();
    await shop.post(order);
    const { payload } = await shop.recorder.next('confirmation.sent');
    expect(payload).toEqual({ orderId: '1', to: 'ada@example.org' });
    expect(shop.mail.letters).toEqual(['ada@example.org: Thank you for order 1']);
  });
});
