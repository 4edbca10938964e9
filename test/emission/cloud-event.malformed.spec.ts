import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import {
  EmissionsError,
  fromCloudEvent,
  InvalidEmissionError,
  PayloadError,
} from 'nestjs-emissions';
import { thrownBy } from '../support/parts.js';
import { hostile } from '../support/payloads.js';

const event = { specversion: '1.0', id: '1', source: '/s', type: 'order.created' };
const ATTRIBUTES = [
  ...['specversion', 'id', 'source', 'type', 'time', 'subject', 'data', 'data_base64', 'metadata'],
  ...[
    'tenant',
    'topic',
    'traceparent',
    'tracestate',
    'correlationid',
    'causationid',
    'emissionsource',
  ],
  ...['depth', 'occurredat', 'initializedat', 'ttlms'],
];

describe('A malformed CloudEvent is refused with an InvalidEmissionError', () => {
  it.each([undefined, null, 'event', 7, [], [event]])('when it is %j', (given) => {
    expect(() => fromCloudEvent(given)).toThrow(InvalidEmissionError);
    expect(() => fromCloudEvent(given)).toThrow('A CloudEvent is an object, but got');
  });

  it.each([
    ['specversion', undefined],
    ['specversion', '0.3'],
    ['specversion', '1.'],
    ['specversion', 1],
    ['id', undefined],
    ['id', ''],
    ['id', 7],
    ['type', undefined],
    ['type', ''],
    ['type', 'two words'],
    ['type', 'order.*'],
    ['type', 'x'.repeat(257)],
    ['source', 7],
    ['source', ''],
    ['subject', 7],
    ['subject', ''],
    ['tenant', {}],
    ['tenant', ''],
    ['topic', 1],
    ['correlationid', false],
    ['causationid', []],
    ['traceparent', 5],
    ['tracestate', 5],
    ['tracestate', ''],
    ['emissionsource', 5],
    ['data_base64', 5],
    ['metadata', 'text'],
    ['metadata', []],
    ['metadata', ''],
    ['metadata', '[]'],
    ['metadata', '7'],
    ['metadata', 'null'],
    ['depth', ''],
    ['depth', '1.5'],
    ['depth', '-1'],
    ['depth', -1],
    ['depth', 1.5],
    ['depth', Number.NaN],
    ['ttlms', -1],
    ['ttlms', Number.NaN],
    ['ttlms', 'soon'],
    ['ttlms', ' 5'],
    ['ttlms', '0x10'],
    ['ttlms', '1e999'],
    ['occurredat', Number.NaN],
    ['occurredat', Number.POSITIVE_INFINITY],
    ['occurredat', 1e300],
    ['occurredat', 'Infinity'],
    ['occurredat', '1e300'],
    ['initializedat', -5],
    ['time', 'yesterday'],
    ['time', '2023'],
    ['time', '2023-13-45T99:00:00Z'],
    ['time', '2023-11-14T22:13:20'],
    ['time', 1_700_000_000_000],
  ])('naming the attribute %s when it is %j', (attribute, value) => {
    const error = thrownBy(() => fromCloudEvent({ ...event, [attribute]: value }));
    expect(error).toBeInstanceOf(InvalidEmissionError);
    expect((error as Error).message).toContain(`The CloudEvent's attribute '${attribute}' must be`);
  });

  it.each(ATTRIBUTES)('or a PayloadError when reading %s throws', (attribute) => {
    const trap = Object.defineProperty({ ...event }, attribute, {
      get() {
        throw new Error('boom');
      },
    });
    const error = thrownBy(() => fromCloudEvent(trap));
    expect(error).toBeInstanceOf(InvalidEmissionError);
    expect((error as Error).message).toContain(`'${attribute}' cannot be read: Error: boom`);
  });

  it('with the path when data or metadata hold what cannot be copied', () => {
    const paths = [{ data: { f: () => 1 } }, { metadata: { f: () => 1 } }].map(
      (part) => (thrownBy(() => fromCloudEvent({ ...event, ...part })) as PayloadError).path,
    );
    expect(paths).toEqual(['data.f', 'metadata.f']);
  });
});

describe('Whatever is given for a CloudEvent', () => {
  it('becomes an emission or an EmissionsError, and nothing else', () => {
    const outcomes = { read: 0, refused: 0 };
    const given = fc.dictionary(fc.constantFrom(...ATTRIBUTES), hostile, { maxKeys: 3 });
    fc.assert(
      fc.property(
        fc.oneof(
          given.map((part) => ({ ...event, ...part })),
          hostile,
        ),
        (value) => {
          try {
            expect(Object.isFrozen(fromCloudEvent(value))).toBe(true);
            outcomes.read++;
          } catch (error) {
            if (!(error instanceof EmissionsError)) throw error;
            outcomes.refused++;
          }
        },
      ),
      { numRuns: 1_000 },
    );
    expect(Math.min(outcomes.read, outcomes.refused)).toBeGreaterThan(20);
  });
});
