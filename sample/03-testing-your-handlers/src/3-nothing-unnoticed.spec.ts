import { describe, expect, it } from '@jest/globals';
import { boot } from './boot.js';

describe('in strict mode', () => {
  it('every emission has to be asserted', async () => {
    await using shop = await boot('strict');
    await shop.post({ id: '1', email: 'ada@example.org', total: 75 });
    await shop.emissions.settled();
    shop.recorder.expectEmitted('order.placed');
    shop.recorder.expectEmitted('confirmation.sent');
    shop.recorder.expectEmitted('points.earned', { payload: { points: 7 } });
    shop.recorder.verify(); // in a suite of your own: afterEach(() => recorder.verify())
  });

  it('one that is not fails the test, with the line that emitted it', async () => {
    await using shop = await boot('strict');
    await shop.post({ id: '1', email: 'ada@example.org', total: 75 });
    await shop.emissions.settled();
    expect(shop.recorder).toHaveEmittedInOrder(['order.placed', 'confirmation.sent']);
    expect(() => shop.recorder.verify()).toThrow(
      /points\.earned \{ orderId: '1', points: 7 \}\n +emitted at .*points\.handler\.ts:\d+:\d+ \(PointsHandler\.credit\)/,
    );
  });

  it('what a set-up emits does not count, when strictness begins after it', async () => {
    await using shop = await boot();
    await shop.post({ id: '1', email: 'ada@example.org', total: 10 });
    await shop.emissions.settled();
    shop.recorder.use('strict');
    await shop.post({ id: '2', email: 'ada@example.org', total: 10 });
    await shop.emissions.settled();
    shop.recorder.expectEmitted('order.placed', { payload: { id: '2' } });
    shop.recorder.expectEmitted('confirmation.sent', { payload: { orderId: '2' } });
    expect(() => shop.recorder.verify()).not.toThrow();
  });
});

describe('in inline mode', () => {
  it('handlers run inside the request, and what they throw is its answer', async () => {
    await using shop = await boot('inline');
    const order = { id: '1', email: 'ada@example.org', total: 10 };
    expect((await shop.post(order)).status).toBe(201);
    expect(shop.mail.letters).toHaveLength(1);
    shop.mail.down = 1;
    expect((await shop.post(order)).status).toBe(500);
  });
});
