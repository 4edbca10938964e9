import { describe, expect, it } from '@jest/globals';
import { EmissionType, InvalidEmissionError } from 'nestjs-emissions';
import { createEmission, TestingError } from 'nestjs-emissions/testing';

@EmissionType('order.shipped', { key: ({ id }: OrderShipped) => id })
class OrderShipped {
  constructor(readonly id: string) {}
}

describe('createEmission', () => {
  it('makes an emission as emit would: copied, frozen, with what is said of it', () => {
    const payload = { id: '1' };
    const cause = createEmission('order.placed');
    const emission = createEmission('order.paid', payload, {
      ...{ metadata: { user: 'ada' }, topic: 'orders', tenant: 'org-1', key: '1' },
      ...{ source: 'test', ttlMs: 5, cause },
    });
    expect(emission).toMatchObject({
      ...{ name: 'order.paid', payload, metadata: { user: 'ada' }, topic: 'orders' },
      ...{ tenant: 'org-1', key: '1', source: 'test', ttlMs: 5 },
      ...{ causationId: cause.id, correlationId: cause.correlationId, depth: 1 },
    });
    expect(Object.isFrozen(emission.payload)).toBe(true);
    expect(emission.payload).not.toBe(payload);
  });

  it('takes name and key from a class', () => {
    expect(createEmission(new OrderShipped('7'))).toMatchObject({
      name: 'order.shipped',
      key: '7',
    });
    expect(createEmission(new OrderShipped('7'), { key: 'x' }).key).toBe('x');
    expect(createEmission(new OrderShipped('7')).payload).toBeInstanceOf(OrderShipped);
  });

  it.each([[{ id: '1' }], [OrderShipped], [undefined]])('refuses %p', (given) => {
    expect(() => createEmission(given as object)).toThrow(TestingError);
  });

  it('refuses what emit refuses', () => {
    expect(() => createEmission('no name', 1)).toThrow(InvalidEmissionError);
    expect(() => createEmission('a', 1, { ttl: 1 } as object)).toThrow(/no option "ttl"/);
  });
});
