import {
  Controller,
  Module,
  Post,
  UseInterceptors,
  type MiddlewareConsumer,
  type NestModule,
} from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import {
  Emissions,
  EmissionsInterceptor,
  EmissionsModule,
  OnEmission,
  type Emission,
  type HandlerContext,
} from 'nestjs-emissions';
import { EmissionsDurableModule, fromPglite } from 'nestjs-emissions/durable';
import { contextOf, EmissionsOpenTelemetryModule } from 'nestjs-emissions/opentelemetry';
import { serve, start, type RunningApp } from '../../support/app.js';
import { DATABASES, pglite, type TestDatabase } from '../../support/databases.js';
import { followContexts, spans, type Spans } from '../../support/spans.js';
import { until } from '../../support/until.js';

followContexts();

const CALLER = '4bf92f3577b34da6a3ce929d0e0e4736';
let seen: Spans;
let isOutOfPaper = true;

@Controller()
class Orders {
  constructor(private readonly emissions: Emissions) {}

  @Post('orders')
  @UseInterceptors(EmissionsInterceptor)
  place() {
    this.emissions.emit('order.placed', { total: 7 });
    return {};
  }

  @OnEmission('order.placed', { durable: true, id: 'invoice', retry: { backoffMs: 1, jitter: 0 } })
  async invoice(_order: object, _emission: Emission, { attempt }: HandlerContext) {
    if (isOutOfPaper && attempt === 1) throw new Error('the printer is out of paper');
    seen.tracer.startActiveSpan('print', (span) => span.end());
    this.emissions.emit('invoice.printed', attempt);
  }

  @OnEmission('invoice.printed', { id: 'file' })
  file() {}
}

/** What the instrumentation of a server does. */
@Module({})
class Instrumented implements NestModule {
  configure(consumer: MiddlewareConsumer): void {
    consumer
      .apply((request: { headers: object }, response: NodeJS.EventEmitter, next: () => void) =>
        seen.tracer.startActiveSpan(
          'POST /orders',
          { kind: SpanKind.SERVER },
          contextOf({ metadata: { ...request.headers } }),
          (span) => {
            response.once('finish', () => span.end());
            next();
          },
        ),
      )
      .forRoutes(Orders);
  }
}

describe.each(DATABASES)('With deliveries on %s', (_, makeDatabase) => {
  let database: TestDatabase;
  let app: RunningApp;
  const batches: (readonly Emission[])[] = [];
  const outside = {
    deliver: (batch: readonly Emission[]) => void batches.push(batch),
    interested: ({ name }: Emission) => name === 'out',
  };

  beforeAll(async () => {
    seen = spans();
    database = await makeDatabase();
    app = await serve({
      imports: [
        EmissionsModule.forRoot({
          adapters: [
            { name: 'outside', useValue: outside, consumer: { durable: true, batchSize: 10 } },
          ],
        }),
        EmissionsDurableModule.forRoot(database.options),
        EmissionsOpenTelemetryModule.forRoot({ tracerProvider: seen.provider, metrics: false }),
        Instrumented,
      ],
      controllers: [Orders],
    });
  }, 60_000);

  afterAll(async () => {
    await app.close();
    await seen[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
  });

  it('each attempt has a trace of its own, linked to the request that the delivery comes from', async () => {
    const traceparent = `00-${CALLER}-00f067aa0ba902b7-01`;
    const answer = await app.request('POST', '/orders', undefined, { traceparent });
    expect(answer.status).toBe(201);
    await until(() => seen.named('handle file').length === 1);
    const attempts = seen.named('handle invoice');
    expect(attempts.map(({ attributes }) => attributes['emissions.attempt'])).toEqual([1, 2]);
    expect(attempts.map(({ attributes }) => attributes['emissions.durable'])).toEqual([true, true]);
    expect(attempts.map(({ status }) => status.code)).toEqual([
      SpanStatusCode.ERROR,
      SpanStatusCode.UNSET,
    ]);
    for (const attempt of attempts) {
      expect(attempt.parentSpanContext).toBeUndefined();
      expect(seen.linkedTo(attempt)).toEqual(['POST /orders']);
      expect(attempt.links[0]!.context).toMatchObject({ traceId: CALLER, isRemote: true });
    }
    const traces = [...attempts, seen.one('POST /orders')].map((s) => s.spanContext().traceId);
    expect(new Set(traces).size).toBe(3);
    expect(traces[2]).toBe(CALLER);
    // What was stored and what follows: one trace for each.
    expect(seen.pathOf(seen.one('print'))).toEqual(['print', 'handle invoice']);
    expect(seen.pathOf(seen.one('handle file'))).toEqual([
      ...['handle file', 'commit emissions', 'handle invoice'],
    ]);
    const stored = seen.named('commit emissions').find((s) => s.spanContext().traceId === CALLER)!;
    expect(seen.pathOf(stored)).toEqual(['commit emissions', 'POST /orders']);
  });

  it('a batch of a durable adapter is linked to all that is in it', async () => {
    const names = ['first', 'second', 'third'];
    const emitting = names.map((name) =>
      seen.tracer.startActiveSpan(name, async (span) => {
        await app.emissions.run(() => app.emissions.emit('out', name));
        span.end();
      }),
    );
    await Promise.all(emitting);
    await until(() => batches.flat().length === 3 && seen.named('deliver outside').length > 0);
    await until(() => seen.named('deliver outside').length === batches.length);
    const delivered = seen.named('deliver outside');
    for (const span of delivered) expect(span.parentSpanContext).toBeUndefined();
    expect(delivered.flatMap((span) => seen.linkedTo(span)).sort()).toEqual(names.toSorted());
  });
});

describe('A transaction', () => {
  it('is part of the trace, with what it stores and what is handed over behind it', async () => {
    seen = spans();
    await using database = await pglite();
    await using app = await start({
      imports: [
        EmissionsModule.forRoot(),
        EmissionsDurableModule.forRoot(database.options),
        EmissionsOpenTelemetryModule.forRoot({ tracerProvider: seen.provider, metrics: false }),
      ],
      providers: [Orders],
    });
    isOutOfPaper = false;
    app.emissions.subscribe('order.placed', () => {}, { id: 'index' });
    await seen.tracer.startActiveSpan('request', async (span) => {
      const source = fromPglite(database.options.embedded as never);
      await app.emissions.transaction(source, () => app.emissions.emit('order.placed', {}));
      span.end();
    });
    await until(() => seen.named('handle file').length === 1);
    await app.emissions.settled();
    const path = ['handle index', 'commit emissions', 'request'];
    expect(seen.pathOf(seen.one('handle index'))).toEqual(path);
    expect(seen.linkedTo(seen.one('handle invoice'))).toEqual(['request']);
    await seen[Symbol.asyncDispose]();
  }, 60_000);
});
