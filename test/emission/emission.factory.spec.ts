import { describe, expect, it } from '@jest/globals';
import { EmissionsError, InvalidEmissionError, PayloadError, TopicRouter } from 'nestjs-emissions';
import {
  EmissionFactory,
  type EmissionFactoryOptions,
  type EmissionOrigin,
  type EmitOptions,
} from '../../lib/emission/emission.factory.js';
import { changeable, thrownBy } from '../support/parts.js';

function factory(options: Partial<EmissionFactoryOptions> = {}, topics = new TopicRouter()) {
  const made = new EmissionFactory(topics, { snapshot: 'deep', ...options });
  return (
    name: string,
    payload?: unknown,
    metadata?: Readonly<Record<string, unknown>>,
    emitOptions?: EmitOptions,
    origin: EmissionOrigin = {},
  ) => made.create(name, payload, metadata, emitOptions, origin);
}

describe('An emission', () => {
  it('made of a name alone has an id, is its own correlation, and has no metadata and no cause', () => {
    const emission = factory()('order.created');
    expect(emission).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      name: 'order.created',
      payload: undefined,
      metadata: {},
      correlationId: emission.id,
      depth: 0,
      occurredAt: expect.any(Number),
    });
  });

  it('has the topic that its name has got, also when another name was refused in between', () => {
    const topics = new TopicRouter();
    const create = factory({}, topics);
    expect(create('order.created').topic).toBeUndefined();
    topics.register('orders', ['order.created']);
    expect(() => create('not a name')).toThrow(InvalidEmissionError);
    expect(create('order.created').topic).toBe('orders');
  });

  it('is frozen: envelope, payload and metadata', () => {
    const emission = factory()('order.created', { lines: [{ n: 1 }] }, { by: { who: 'me' } });
    expect(changeable(emission)).toEqual([]);
    expect(() => Object.assign(emission, { name: 'other' })).toThrow(TypeError);
  });

  it('occurs between the moments before and after it is made, with fractions, and never before an earlier one', () => {
    const create = factory();
    const before = performance.timeOrigin + performance.now();
    const emissions = Array.from({ length: 10_000 }, () => create('a'));
    const after = performance.timeOrigin + performance.now();
    const times = emissions.map(({ occurredAt }) => occurredAt);
    expect(times[0]).toBeGreaterThanOrEqual(before - 1);
    expect(times.at(-1)).toBeLessThanOrEqual(after + 1);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(times.some((time) => !Number.isInteger(time))).toBe(true);
  });

  it('has a greater id than all before it', () => {
    const create = factory();
    const ids = Array.from({ length: 10_000 }, () => create('a').id);
    expect(ids).toEqual([...new Set(ids)].sort());
  });

  it('takes every given value, and says which it has', () => {
    const emission = factory({}, topics({ orders: ['order.created'] }))(
      'order.created',
      7,
      { by: 'me' },
      { key: 'k', tenant: 't', ttlMs: 5, source: 's', crossTenant: true },
      { correlationId: 'c', initializedAt: 3 },
    );
    expect(emission).toMatchObject({
      topic: 'orders',
      payload: 7,
      metadata: { by: 'me' },
      key: 'k',
      tenant: 't',
      ttlMs: 5,
      source: 's',
      correlationId: 'c',
      initializedAt: 3,
    });
    expect(emission).not.toHaveProperty('crossTenant');
  });

  it('of a handler names its cause, goes one deeper, and inherits correlation and tenant', () => {
    const create = factory();
    const cause = create('a', 1, {}, { tenant: 't' });
    const effect = create('b', 2, {}, undefined, { cause });
    expect(effect).toMatchObject({
      causationId: cause.id,
      correlationId: cause.id,
      depth: 1,
      tenant: 't',
    });
    expect(create('c', 3, {}, { tenant: 'u' }, { cause: effect })).toMatchObject({
      causationId: effect.id,
      correlationId: cause.id,
      depth: 2,
      tenant: 'u',
    });
    expect(create('d', 4, {}, undefined, { cause, correlationId: 'said' })).toMatchObject({
      causationId: cause.id,
      correlationId: 'said',
    });
  });

  it('carries the topic its name belongs to from when that is registered until it is not', () => {
    const router = new TopicRouter();
    const create = factory({}, router);
    expect(create('a').topic).toBeUndefined();
    router.register('letters', ['a']);
    expect([create('a').topic, create('b').topic]).toEqual(['letters', undefined]);
    router.unregister('letters');
    expect(create('a').topic).toBeUndefined();
  });

  it('whose payload is bytes hands out a copy to everyone who reads it', () => {
    const bytes = Buffer.from('abc');
    const emission = factory()('file.read', bytes);
    bytes.fill(0);
    (emission.payload as Buffer).fill(1);
    expect(String(emission.payload)).toBe('abc');
    expect(Object.keys(emission)).toContain('payload');
    expect(String({ ...emission }.payload)).toBe('abc');
  });

  it("is not copied when the option snapshot is 'none', but its envelope is frozen", () => {
    const payload = { n: 1 };
    const metadata = { m: 1 };
    const emission = factory({ snapshot: 'none' })('a', payload, metadata);
    expect([emission.payload, emission.metadata]).toEqual([payload, metadata]);
    expect(emission.payload).toBe(payload);
    expect(Object.isFrozen(emission)).toBe(true);
  });
});

describe('Metadata', () => {
  const origin = { metadata: Object.freeze({ a: 'stamped', b: 'stamped' }) };

  it('that emit gives goes before what the unit of work stamps', () => {
    expect(factory()('n', 0, { b: 'said' }, undefined, origin).metadata).toEqual({
      a: 'stamped',
      b: 'said',
    });
    expect(factory()('n', 0, undefined, undefined, origin).metadata).toEqual(origin.metadata);
  });

  it('changed after emit is delivered as it was', () => {
    const metadata = { list: [1] };
    const emission = factory()('n', 0, metadata, undefined, origin);
    metadata.list.push(2);
    expect(emission.metadata['list']).toEqual([1]);
  });

  it.each([
    ['null', null],
    ['a text', 'text'],
    ['an array', []],
    ['a date', new Date(0)],
    ['a map', new Map([['a', 1]])],
    ['a set', new Set()],
    ['bytes', Buffer.from('a')],
    ['a boxed text', Object('a') as object],
  ])('that is %s is refused', (_, metadata) => {
    for (const unit of [{}, origin]) {
      const call = () => factory()('n', 0, metadata as never, undefined, unit);
      expect(call).toThrow(InvalidEmissionError);
      expect(call).toThrow('Metadata is an object of fields, but got');
    }
  });

  it.each([{}, origin])(
    'whose getter throws is a PayloadError with its path, stamped or not',
    (unit) => {
      const metadata = {
        get user(): string {
          throw new Error('no user');
        },
      };
      const error = thrownBy(() => factory()('n', 0, metadata, undefined, unit));
      expect(error).toBeInstanceOf(PayloadError);
      expect((error as PayloadError).path).toBe('metadata.user');
    },
  );

  it('with an own __proto__ key pollutes nothing', () => {
    const metadata = JSON.parse('{"__proto__":{"admin":true}}') as Record<string, unknown>;
    const taken = factory()('n', 0, metadata, undefined, origin).metadata;
    expect(taken['admin']).toBeUndefined();
    expect(Object.keys(taken)).toEqual(['a', 'b', '__proto__']);
  });
});

describe('The tenant', () => {
  const create = factory({ tenancyKey: 'orgId' });

  it.each([
    ['the option of emit', { tenant: 'opt' }, { orgId: 'meta' }, 'opt'],
    ['then metadata', undefined, { orgId: 'meta' }, 'meta'],
    [
      'then what the unit of work says, before a payload that a client may have written',
      undefined,
      {},
      'unit',
    ],
  ])('is taken from %s', (_, options, metadata, tenant) => {
    const emission = create('n', { orgId: 'pay' }, metadata, options, { tenant: 'unit' });
    expect(emission.tenant).toBe(tenant);
  });

  it.each([
    ['then the payload', { orgId: 'pay' }, 'pay'],
    ['a number, as text', { orgId: 7 }, '7'],
    ['a bigint, as text', { orgId: 7n }, '7'],
    ['not an empty text', { orgId: '' }, undefined],
    ['not what the payload inherits', Object.create({ orgId: 'proto' }) as object, undefined],
  ])('is taken from %s', (_, payload, tenant) => {
    expect(create('n', payload).tenant).toBe(tenant);
  });

  it('is not looked for without a key', () => {
    expect(factory()('n', { orgId: 'a' }, { orgId: 'b' }).tenant).toBeUndefined();
  });

  it.each([[{ id: 1 }], [true], [Number.NaN], [Number.POSITIVE_INFINITY], [['a']]])(
    'that is %j is refused, naming the field',
    (orgId) => {
      expect(() => create('n', { orgId })).toThrow(InvalidEmissionError);
      expect(() => create('n', { orgId })).toThrow(/^The field 'orgId' names the tenant/);
    },
  );
});

describe('emit refuses', () => {
  it.each([undefined, null, 7, '', {}, 'a b', 'order.*'])('the name %j', (name) => {
    expect(() => factory()(name as string)).toThrow(InvalidEmissionError);
    expect(() => factory()(name as string)).toThrow("An emission's name is");
  });

  it.each([
    ['an empty key', { key: '' }, "option key takes a non-empty string, but got ''"],
    ['a key that is a number', { key: 7 }, 'option key takes a non-empty string, but got 7'],
    ['an empty tenant', { tenant: '' }, 'option tenant takes'],
    ['a source that is none', { source: {} }, 'option source takes'],
    ['a negative time to live', { ttlMs: -1 }, 'ttlMs takes milliseconds of 0 or more, but got -1'],
    ['a time to live that is none', { ttlMs: Number.NaN }, 'but got NaN'],
    ['a flag that is none', { crossTenant: 'yes' }, 'crossTenant takes true or false'],
    [
      'an unknown option',
      { ttl: 5 },
      'emit has no option "ttl". It has: crossTenant, delayMs, key, ',
    ],
    ['options that are null', null, "emit's options are an object"],
    ['options that are a text', 'key', "emit's options are an object"],
    ['options that are an array', [], "emit's options are an object"],
  ])('%s', (_, options, message) => {
    const error = thrownBy(() => factory()('n', 0, {}, options as never));
    expect(error).toBeInstanceOf(InvalidEmissionError);
    expect(error).toBeInstanceOf(EmissionsError);
    expect((error as Error).message).toContain(message);
  });

  it('nothing that is left undefined', () => {
    const options = { key: undefined, tenant: undefined, ttlMs: undefined, source: undefined };
    expect(factory()('n', 0, undefined, options).key).toBeUndefined();
  });
});

describe('A factory', () => {
  it('remembers the names it checked, but no more than 10,000', () => {
    const create = factory({}, topics({ t: ['name.1'] }));
    for (let i = 0; i < 30_000; i++) create(`name.${i}`);
    expect(create('name.1').topic).toBe('t');
    expect(() => create('na me')).toThrow(InvalidEmissionError);
  });
});

function topics(map: Record<string, string[]>): TopicRouter {
  const router = new TopicRouter();
  router.registerAll(map);
  return router;
}
