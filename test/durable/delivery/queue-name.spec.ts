import { describe, expect, it } from '@jest/globals';
import { ownerOf, partnerOf, queueNameOf } from '../../../lib/durable/delivery/queue-name.js';

const NAMES = [
  'Orders.ship',
  'a b',
  'é🙂',
  '/',
  'a/',
  'a/keyed',
  '/keyed',
  'adapter/a',
  'adapter//a',
  '2f',
  'a/2f/',
];
const named = NAMES.flatMap((name) =>
  (['handler', 'adapter'] as const).map((kind) => ({ kind, name })),
);

describe('A queue', () => {
  it('is that of one destination alone', () => {
    const queues = named.flatMap((each) => [queueNameOf(each, false), queueNameOf(each, true)]);
    expect(new Set(queues).size).toBe(queues.length);
    for (const queue of queues) expect(queue).toMatch(/^[\w./-]+$/);
  });

  it.each(named)('says whose it is, and has a partner: $kind $name', (destination) => {
    const [plain, keyed] = [false, true].map((isKeyed) => queueNameOf(destination, isKeyed));
    expect([ownerOf(plain!), ownerOf(keyed!)]).toEqual([destination.name, destination.name]);
    expect([partnerOf(plain!), partnerOf(keyed!)]).toEqual([keyed, plain]);
  });
});
