import { describe, expect, it } from '@jest/globals';
import { ConfigurationError, fromCloudEvent, PartialDeliveryError } from 'nestjs-emissions';
import { createEmission } from 'nestjs-emissions/testing';
import { RecordError } from '../../lib/brokers/broker.errors.js';
import { RecordWriter, type RecordOptions } from '../../lib/brokers/broker-record.js';
import { byTopic } from '../../lib/brokers/router.js';
import { cloudEventOf, writeEmission, type HeaderStyle } from '../../lib/brokers/record-format.js';
import { Unwritable } from '../support/brokers.js';
import { listen } from '../support/signals.js';

const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const STYLES: HeaderStyle[] = [
  { prefix: 'ce_', ascii: false },
  { prefix: 'ce-', ascii: true },
  { prefix: 'cloudEvents_', ascii: false },
];

const cause = createEmission('cart.paid', {}, { tenant: 'org-1' });
const order = createEmission(
  'order.created',
  { id: 'ø-1', total: 12.5, when: new Date(0) },
  {
    topic: 'orders',
    key: 'kunde "7" 100 % ✓',
    source: 'shop',
    ttlMs: 60_000,
    metadata: { traceparent: TRACEPARENT, tracestate: 'vendor=1', user: 'Zoë' },
    cause,
  },
);

function writer(options: Partial<RecordOptions>): RecordWriter {
  return new RecordWriter('test', { destination: 'all', format: 'binary', ...options }, STYLES[0]!);
}

const unwritable = () => createEmission('broken', new Unwritable());

describe('A record', () => {
  it('says who caused it, whose it is and in which trace, beside the CloudEvent', () => {
    const { records } = writer({}).write([order]);
    expect(records[0]).toMatchObject({
      destination: 'all',
      key: order.key,
      headers: {
        'content-type': 'application/json',
        'message-id': order.id,
        'correlation-id': cause.correlationId,
        'causation-id': cause.id,
        tenant: 'org-1',
        traceparent: TRACEPARENT,
        tracestate: 'vendor=1',
        ce_specversion: '1.0',
        ce_id: order.id,
        ce_type: 'order.created',
      },
      body: '{"id":"ø-1","total":12.5,"when":"1970-01-01T00:00:00.000Z"}',
    });
  });

  it.each(['binary', 'structured'] as const)(
    'of somebody else is traced by the headers of %s mode where the event says nothing itself',
    (format) => {
      const traceless = createEmission('order.created', 1);
      const { headers, body } = writeEmission(traceless, format, STYLES[0]!);
      const traced = { ...headers, Traceparent: TRACEPARENT, tracestate: '' };
      expect(cloudEventOf({ headers: traced, body })).toMatchObject({ traceparent: TRACEPARENT });
      expect(cloudEventOf({ headers: traced, body })).not.toHaveProperty('tracestate');
      const own = writeEmission(order, format, STYLES[0]!);
      const sent = { ...own.headers, traceparent: TRACEPARENT.replace('b7', 'b8') };
      expect(cloudEventOf({ ...own, headers: sent })).toMatchObject({ traceparent: TRACEPARENT });
    },
  );

  describe.each(STYLES)('with headers as $prefix', (style) => {
    it.each(['binary', 'structured'] as const)('comes back equal in %s mode', (format) => {
      const written = writeEmission(order, format, style);
      const back = fromCloudEvent(cloudEventOf(written));
      expect(back).toEqual({ ...order, payload: JSON.parse(JSON.stringify(order.payload)) });
    });

    it('comes back from bytes and headers in capitals too', () => {
      const { headers, body } = writeEmission(order, 'binary', style);
      const received = Object.fromEntries(
        Object.entries(headers).map(([name, value]) => [name.toUpperCase(), Buffer.from(value)]),
      );
      expect(fromCloudEvent(cloudEventOf({ headers: received, body: Buffer.from(body) }))).toEqual(
        fromCloudEvent(cloudEventOf({ headers, body })),
      );
    });
  });

  it('has nothing but visible ASCII in headers where a broker takes nothing else', () => {
    const { headers } = writeEmission(order, 'binary', STYLES[1]!);
    expect(Object.values(headers).filter((value) => !/^[\u0021-\u007E]*$/.test(value))).toEqual([]);
    expect(headers['ce-subject']).toBe('kunde%20%227%22%20100%20%25%20%E2%9C%93');
  });

  it('has an empty body for no payload', () => {
    const nothing = createEmission('ping', undefined);
    const written = writeEmission(nothing, 'binary', STYLES[0]!);
    expect(written.body).toBe('');
    expect(fromCloudEvent(cloudEventOf(written)).payload).toBeUndefined();
  });

  it('is written in a form of its own by a function', () => {
    const { records } = writer({
      format: ({ id }) => ({
        body: Buffer.from(id),
        contentType: 'application/x-id',
        headers: { v: '2' },
      }),
    }).write([order]);
    expect(records[0]).toMatchObject({
      body: Buffer.from(order.id),
      headers: { 'content-type': 'application/x-id', v: '2', 'message-id': order.id },
    });
    expect(() => cloudEventOf(records[0]!)).toThrow(/no CloudEvent/);
  });
});

describe('Routing', () => {
  it('goes to one place, by the topic, or as a function says', () => {
    const routes = ['fixed', byTopic('shop.'), ({ name }: { name: string }) => `to-${name}`];
    expect(
      routes.map((destination) => writer({ destination }).write([order]).records[0]!.destination),
    ).toEqual(['fixed', 'shop.orders', 'to-order.created']);
  });

  it('signals what has no place, and takes no interest in it', () => {
    using log = listen('emissions:emission:dropped');
    const topicless = createEmission('ping', {});
    const records = writer({ destination: byTopic() });
    expect([records.hasPlaceFor(order), records.hasPlaceFor(topicless)]).toEqual([true, false]);
    expect(records.write([topicless, order]).records.map(({ emission }) => emission)).toEqual([
      order,
    ]);
    const message = { reason: 'unmapped', emission: 'ping', count: 1, consumer: 'test' };
    expect(log.of('emissions:emission:dropped')).toEqual([message, message]);
  });

  it('sends what has no place to the fallback', () => {
    const { records } = writer({ destination: byTopic(), fallback: 'rest' }).write([
      createEmission('ping', {}),
    ]);
    expect(records[0]!.destination).toBe('rest');
  });

  it('refuses to be without a destination, and a destination that is none', () => {
    expect(() => writer({ destination: undefined as never })).toThrow(ConfigurationError);
    const records = writer({ destination: () => 7 as never });
    expect(() => records.hasPlaceFor(order)).toThrow(/for 'order.created', but gave 7/);
  });
});

describe('What cannot be written', () => {
  it('fails alone', () => {
    const bad = unwritable();
    const { records, undelivered } = writer({}).write([order, bad, cause]);
    expect(records.map(({ emission }) => emission)).toEqual([order, cause]);
    const failure = thrownBy(() => undelivered.throwFor([order, bad, cause]));
    expect(failure).toBeInstanceOf(PartialDeliveryError);
    expect(failure).toMatchObject({ failed: [bad], cause: expect.any(RecordError) });
    expect((failure.cause as Error).message).toMatch(
      /'broken' \(.*\) cannot be written as a record: Error: no words for this.*give the adapter a format/,
    );
  });

  it('is a format that gives no body', () => {
    const { undelivered } = writer({ format: () => ({}) as never }).write([order]);
    expect(thrownBy(() => undelivered.throwFor([order]))).toMatchObject({
      code: 'EMISSIONS_RECORD',
      message: expect.stringContaining('has to give { body }'),
    });
  });

  it('is a header of its own that is no text', () => {
    const { undelivered } = writer({
      format: () => ({ body: '', headers: { attempts: 3, none: undefined } }) as never,
    }).write([order]);
    expect(thrownBy(() => undelivered.throwFor([order])).message).toMatch(
      /headers as text, but 'attempts' is of type number/,
    );
  });
});

function thrownBy(work: () => void): Error {
  try {
    work();
  } catch (error) {
    return error as Error;
  }
  throw new Error('Nothing was thrown.');
}
