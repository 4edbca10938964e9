import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { passTime, settledInNoTime } from 'nestjs-emissions/testing';
import { boot } from './boot.js';

const order = { id: '1', email: 'ada@example.org', total: 10 };

describe('while the mail server is down', () => {
  afterEach(() => {
    jest.useRealTimers();
  });

  it('a confirmation is tried again, and the test does not wait for it', async () => {
    await using shop = await boot();
    jest.useFakeTimers();
    shop.mail.down = 2;
    await shop.emissions.run(() => shop.emissions.emit('order.placed', order));
    await settledInNoTime(shop.emissions); // a minute, and two more, in a few milliseconds
    shop.recorder.expectEmitted('confirmation.sent');
  });

  it('the next try comes after a minute, and not before', async () => {
    await using shop = await boot();
    jest.useFakeTimers();
    shop.mail.down = 1;
    await shop.emissions.run(() => shop.emissions.emit('order.placed', order));
    await passTime(59_999);
    expect(shop.recorder).not.toHaveEmitted('confirmation.sent');
    await passTime(1);
    expect(shop.recorder).toHaveEmitted('confirmation.sent');
  });
});
