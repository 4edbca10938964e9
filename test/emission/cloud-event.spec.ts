import { describe, expect, it } from '@jest/globals';
import { CloudEvent as SdkEvent, HTTP } from 'cloudevents';
import * as fc from 'fast-check';
import { fromCloudEvent, toCloudEvent, TopicRouter, type Emission } from 'nestjs-emissions';
import { EmissionFactory } from '../../lib/emission/emission.factory.js';
import { changeable } from '../support/parts.js';
import { json } from '../support/payloads.js';

const topics = new TopicRouter();
topics.register('orders', ['order.created']);
const factory = new EmissionFactory(topics, { snapshot: 'deep' });
const overTheWire = (event: unknown): unknown => JSON.parse(JSON.stringify(event));

const full = factory.create(
  'order.created',
  { id: '1', lines: [{ sku: 'a' }] },
  {
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    tracestate: 'vendor=1,other=2',
    user: { id: 7 },
  },
  { key: 'order-1', tenant: 'org-1', ttlMs: 1_500.5, source: 'shop' },
  {
    initializedAt: 1_700_000_000_000.125,
    cause: factory.create('cart.checked', 1, undefined, undefined, {}),
  },
);

const text = fc.string({ minLength: 1 });
const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined });
const emissions: fc.Arbitrary<Emission> = fc
  .record({
    name: fc.constantFrom('order.created', 'user.created', 'a'),
    payload: json,
    metadata: maybe(fc.dictionary(fc.string(), json)),
    options: fc.record({
      key: maybe(text),
      tenant: maybe(text),
      ttlMs: maybe(fc.double({ min: 0, max: 1e9, noNaN: true }).map((n) => n + 0)),
      source: maybe(text),
    }),
    correlationId: maybe(text),
    initializedAt: maybe(fc.double({ min: 0, max: 1e13, noNaN: true }).map((n) => n + 0)),
  })
  .map(({ name, payload, metadata, options, ...origin }) =>
    factory.create(name, payload, metadata, options, origin),
  );

describe('A CloudEvent', () => {
  it('of an emission has every required attribute, and extensions named as the specification allows', () => {
    const event = toCloudEvent(full);
    expect(event).toMatchObject({
      specversion: '1.0',
      id: full.id,
      source: 'shop',
      type: 'order.created',
      datacontenttype: 'application/json',
      subject: 'order-1',
      data: full.payload,
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      tracestate: 'vendor=1,other=2',
      tenant: 'org-1',
      topic: 'orders',
      correlationid: full.correlationId,
      causationid: full.causationId,
      depth: 1,
      occurredat: String(full.occurredAt),
      initializedat: '1700000000000.125',
      ttlms: '1500.5',
      metadata: JSON.stringify(full.metadata),
    });
    for (const attribute of Object.keys(event)) expect(attribute).toMatch(/^[a-z0-9]{1,20}$/);
  });

  it('of the least emission has the required attributes and leaves out what it lacks', () => {
    const event = toCloudEvent(factory.create('a', undefined, undefined, undefined, {}));
    expect(overTheWire(event)).toEqual({
      specversion: '1.0',
      id: expect.any(String),
      source: expect.stringMatching(/.+/),
      type: 'a',
      time: expect.any(String),
      datacontenttype: 'application/json',
      correlationid: event.id,
      depth: 0,
      occurredat: expect.stringMatching(/^\d+(\.\d+)?$/),
    });
  });

  it('tells its time as RFC 3339 in microseconds', () => {
    const at = (occurredAt: number) => toCloudEvent({ ...full, occurredAt }).time;
    expect(at(0)).toBe('1970-01-01T00:00:00.000000Z');
    expect(at(1_700_000_000_123.456)).toMatch(/^2023-11-14T22:13:20\.12345[56]Z$/);
    expect(at(1_700_000_000_123.999_5)).toBe('2023-11-14T22:13:20.123999Z');
  });

  it('carries values that JSON does not know as JSON can', () => {
    const payload = {
      n: 1n,
      m: new Map([['a', new Set([1])]]),
      b: Buffer.from('a'),
      d: new Date(0),
    };
    const event = toCloudEvent(factory.create('a', payload, { m: new Map() }, undefined, {}));
    expect(overTheWire(event)).toMatchObject({
      data: { n: '1', m: [['a', [1]]], b: 'YQ==', d: '1970-01-01T00:00:00.000Z' },
      metadata: '{"m":[]}',
    });
  });

  it.each([7, ''])('takes a traceparent only from a text, not from %j', (traceparent) => {
    const odd = factory.create('a', 0, { traceparent }, undefined, {});
    expect(toCloudEvent(odd)).not.toHaveProperty('traceparent');
    expect(fromCloudEvent(toCloudEvent(odd))).toEqual(odd);
  });

  it.each([
    '/shop',
    'shop/eu@1',
    'https://shop.example:8080/eu?a=b:c#d',
    'urn:uuid:0af76519',
    'a%20b',
  ])('has %j for its source, a URI reference, as it is', (source) => {
    const event = toCloudEvent(factory.create('a', 0, undefined, { source }, {}));
    expect(event.source).toBe(source);
    expect(new SdkEvent(event as never, true).validate()).toBe(true);
  });

  it.each([
    ['der Laden', 'der%20Laden'],
    ['1:2', '1%3A2'],
    ['//a:b', '%2F%2Fa%3Ab'],
    ['100 %', '100%20%25'],
    ['\uD800', '%EF%BF%BD'],
  ])('has %j for its source, which is none, encoded', (source, encoded) => {
    const emission = factory.create('a', 0, undefined, { source }, {});
    expect(toCloudEvent(emission)).toMatchObject({ source: encoded, emissionsource: source });
    expect(fromCloudEvent(toCloudEvent(emission))).toEqual(emission);
  });

  it('has no control characters in its metadata', () => {
    const emission = factory.create('a', 0, { a: '\u0001\u007F\u009F' }, undefined, {});
    expect(toCloudEvent(emission).metadata).toBe('{"a":"\\u0001\\u007f\\u009f"}');
    expect(fromCloudEvent(toCloudEvent(emission))).toEqual(emission);
  });
});

describe('With the SDK of CloudEvents', () => {
  it('the event of any emission is valid, and comes back equal', () => {
    fc.assert(
      fc.property(emissions, (emission) => {
        const event = new SdkEvent(toCloudEvent(emission) as never, true);
        expect(event.validate()).toBe(true);
        expect(fromCloudEvent(event)).toEqual(emission);
        expect(fromCloudEvent(overTheWire(event))).toEqual(emission);
      }),
      { numRuns: 300 },
    );
  });

  it.each(['structured', 'binary'] as const)(
    'an emission with everything it can have comes back equal from a %s HTTP message',
    (mode) => {
      const { headers, body } = HTTP[mode](new SdkEvent(toCloudEvent(full) as never, true));
      const received = HTTP.toEvent({ headers, body });
      expect(fromCloudEvent(received)).toEqual(full);
    },
  );
});

describe('An emission', () => {
  it('comes back equal and frozen from its CloudEvent, also over the wire', () => {
    fc.assert(
      fc.property(emissions, (emission) => {
        for (const event of [toCloudEvent(emission), overTheWire(toCloudEvent(emission))]) {
          const back = fromCloudEvent(event);
          expect(back).toEqual(emission);
          expect(changeable(back)).toEqual([]);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('with everything it can have comes back equal', () => {
    expect(fromCloudEvent(overTheWire(toCloudEvent(full)))).toEqual(full);
  });
});

describe('A CloudEvent from elsewhere', () => {
  const foreign = { specversion: '1.0', id: 'A-1', source: '/elsewhere', type: 'com.example.sold' };

  it('with the required attributes alone becomes an emission, and what it lacks is filled in', () => {
    const before = Date.now();
    const emission = fromCloudEvent(foreign);
    expect(emission).toEqual({
      id: 'A-1',
      name: 'com.example.sold',
      source: '/elsewhere',
      payload: undefined,
      metadata: {},
      correlationId: 'A-1',
      depth: 0,
      occurredAt: expect.any(Number),
    });
    expect(emission.occurredAt).toBeGreaterThanOrEqual(before);
  });

  it('keeps its subject as the key, its trace as metadata, and its time to the microsecond', () => {
    const emission = fromCloudEvent({
      ...foreign,
      specversion: '1.1',
      subject: 'order-9',
      time: '2023-11-14T23:13:20.123456+01:00',
      traceparent: '00-a-b-01',
      tracestate: 'vendor=1',
      data: { n: 1 },
      unknownextension: 'x',
    });
    expect(emission).toMatchObject({
      key: 'order-9',
      payload: { n: 1 },
      metadata: { traceparent: '00-a-b-01', tracestate: 'vendor=1' },
    });
    expect(emission.occurredAt).toBeCloseTo(1_700_000_000_123.456, 2);
  });

  it('may have its amounts as numbers and its metadata as an object, as well as strings', () => {
    const amounts = { depth: 2, occurredat: 1_700_000_000_000.5, initializedat: 0.25, ttlms: 1e-7 };
    const metadata = { user: { id: 7 } };
    const texts = {
      depth: '2',
      occurredat: '1700000000000.5',
      initializedat: '0.25',
      ttlms: '1e-7',
    };
    const expected = {
      depth: 2,
      occurredAt: 1_700_000_000_000.5,
      initializedAt: 0.25,
      ttlMs: 1e-7,
      metadata,
    };
    expect(fromCloudEvent({ ...foreign, ...amounts, metadata })).toMatchObject(expected);
    expect(
      fromCloudEvent({ ...foreign, ...texts, metadata: JSON.stringify(metadata) }),
    ).toMatchObject(expected);
  });

  it('takes null for what is not there, but for data', () => {
    const emission = fromCloudEvent({
      ...foreign,
      subject: null,
      metadata: null,
      time: null,
      data: null,
    });
    expect([emission.key, emission.payload, emission.metadata]).toEqual([undefined, null, {}]);
  });

  it('with binary data has bytes for its payload, of which every reader gets a copy', () => {
    const emission = fromCloudEvent({ ...foreign, data_base64: 'YWJj' });
    (emission.payload as Buffer).fill(0);
    expect(String(emission.payload)).toBe('abc');
  });

  it('is not tied to what becomes of the event', () => {
    const event = { ...foreign, data: { list: [1] }, metadata: { m: [1] } };
    const emission = fromCloudEvent(event);
    event.data.list.push(2);
    event.metadata.m.push(2);
    expect([emission.payload, emission.metadata]).toEqual([{ list: [1] }, { m: [1] }]);
  });
});
