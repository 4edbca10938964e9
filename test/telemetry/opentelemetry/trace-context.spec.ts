import { describe, expect, it } from '@jest/globals';
import { context, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import * as fc from 'fast-check';
import { EmissionsModule, fromCloudEvent, type Emission } from 'nestjs-emissions';
import { contextOf, EmissionsOpenTelemetryModule } from 'nestjs-emissions/opentelemetry';
import { RecordWriter, type BrokerRecord } from '../../../lib/brokers/broker-record.js';
import { cloudEventOf } from '../../../lib/brokers/record-format.js';
import {
  spanContextOf,
  traceContextOf,
} from '../../../lib/telemetry/opentelemetry/trace-context.js';
import { start } from '../../support/app.js';
import { followContexts, spans } from '../../support/spans.js';

followContexts();

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';
const hex = (length: number) =>
  fc
    .string({
      unit: fc.constantFrom(...Array.from('0123456789abcdef')),
      minLength: length,
      maxLength: length,
    })
    .filter((text) => !/^0+$/.test(text));

/** A service that writes records, and reads what others wrote. */
async function service() {
  const seen = spans();
  const records: BrokerRecord[] = [];
  const writer = new RecordWriter(
    'broker',
    { destination: 'all', format: 'binary' },
    { prefix: 'ce_', ascii: false },
  );
  const deliver = (batch: readonly Emission[]) => void records.push(...writer.write(batch).records);
  const app = await start({
    imports: [
      EmissionsModule.forRoot({ adapters: [{ name: 'broker', useValue: { deliver } }] }),
      EmissionsOpenTelemetryModule.forRoot({ tracerProvider: seen.provider, metrics: false }),
    ],
  });
  const dispose = async () => {
    await app.close();
    await seen[Symbol.asyncDispose]();
  };
  return { ...app, seen, records, [Symbol.asyncDispose]: dispose };
}

describe('The trace of an emission', () => {
  it('goes with a record to another service, and on from there', async () => {
    await using one = await service();
    await using other = await service();
    await one.seen.tracer.startActiveSpan('request', async (span) => {
      await one.emissions.run(() => one.emissions.emit('order.placed', { total: 7 }));
      span.end();
    });
    await one.emissions.settled();
    const request = one.seen.one('request').spanContext();
    const { headers } = one.records[0]!;
    expect(headers['traceparent']).toBe(`00-${request.traceId}-${request.spanId}-01`);
    expect(headers['ce_traceparent']).toBe(headers['traceparent']);

    const received = fromCloudEvent(cloudEventOf(one.records[0]!));
    await context.with(contextOf(received), () =>
      other.emissions.run(() => other.emissions.emit(received.name, received.payload)),
    );
    await other.emissions.settled();
    const committed = other.seen.one('commit emissions');
    expect(committed.parentSpanContext).toMatchObject({
      ...{ traceId: request.traceId, spanId: request.spanId },
      isRemote: true,
    });
    expect(other.records[0]!.headers['traceparent']).toBe(headers['traceparent']);
    expect(other.seen.one('deliver broker').spanContext().traceId).toBe(request.traceId);
  });

  it('is that of the metadata where nothing is active', async () => {
    await using app = await service();
    const received = fromCloudEvent({
      ...{ specversion: '1.0', id: '1', source: '/', type: 'a', data: 1 },
      traceparent: `00-${TRACE}-${SPAN}-01`,
      tracestate: 'vendor=1',
    });
    await app.emissions.run(() => app.emissions.emit('a', received.payload, received.metadata));
    await app.emissions.settled();
    expect(app.records[0]!.headers).toMatchObject({
      traceparent: `00-${TRACE}-${SPAN}-01`,
      tracestate: 'vendor=1',
    });
    const committed = app.seen.one('commit emissions');
    expect(committed.parentSpanContext).toMatchObject({ traceId: TRACE, spanId: SPAN });
    expect(committed.spanContext().traceState?.serialize()).toBe('vendor=1');
  });

  it('is read as it is written, whatever it is', () => {
    const flags = fc.constantFrom(0, 1);
    fc.assert(
      fc.property(hex(32), hex(16), flags, (traceId, spanId, traceFlags) => {
        const metadata = traceContextOf({ traceId, spanId, traceFlags }) as never;
        const made = { traceId, spanId, traceFlags, isRemote: true };
        expect(spanContextOf({ metadata })).toEqual(made);
      }),
    );
  });

  it.each([
    undefined,
    7,
    '',
    'nonsense',
    `00-${TRACE}-${SPAN}`,
    `00-${TRACE}-${SPAN}-01-more`,
    `ff-${TRACE}-${SPAN}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
  ])('is nothing when it is said as %j', (traceparent) => {
    expect(contextOf({ metadata: { traceparent } }, ROOT_CONTEXT)).toBe(ROOT_CONTEXT);
  });

  it('may be said in a later version, which may say more', () => {
    const metadata = { traceparent: `01-${TRACE}-${SPAN}-03-more`, tracestate: 7 };
    const made = trace.getSpanContext(contextOf({ metadata }, ROOT_CONTEXT));
    expect(made).toEqual({ traceId: TRACE, spanId: SPAN, traceFlags: 1, isRemote: true });
  });
});
