import {
  Controller,
  Module,
  Param,
  Post,
  type MiddlewareConsumer,
  type NestModule,
} from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SpanKind } from '@opentelemetry/api';
import { Buffered, Emissions, EmissionsModule, OnEmission } from 'nestjs-emissions';
import { contextOf, EmissionsOpenTelemetryModule } from 'nestjs-emissions/opentelemetry';
import { SERVERS, serve } from '../../support/app.js';
import { followContexts, spans, type Spans } from '../../support/spans.js';
import { rounds } from '../../support/until.js';

followContexts();

let seen: Spans;

@Controller()
class Orders {
  constructor(private readonly emissions: Emissions) {}

  @Post('orders/:n')
  @Buffered()
  async place(@Param('n') n: string) {
    await rounds(Number(n) % 3);
    this.emissions.emit('order.placed', Number(n));
    return {};
  }

  @OnEmission('order.placed', { id: 'index' })
  async index(n: number) {
    await rounds(n % 4);
    seen.tracer.startActiveSpan(`indexed ${n}`, (span) => span.end());
  }
}

/** What the instrumentation of a server does. */
@Module({})
class Instrumented implements NestModule {
  configure(consumer: MiddlewareConsumer): void {
    consumer
      .apply((request: { headers: object }, response: NodeJS.EventEmitter, next: () => void) =>
        seen.tracer.startActiveSpan(
          'server',
          { kind: SpanKind.SERVER },
          contextOf({ metadata: { ...request.headers } }),
          (span) => {
            response.once('close', () => span.end());
            next();
          },
        ),
      )
      .forRoutes(Orders);
  }
}

const traceOf = (n: number): string => `4bf92f3577b34da6a3ce929d${String(n).padStart(8, '0')}`;

describe.each(SERVERS)('Requests on %s', (server) => {
  beforeEach(() => void (seen = spans()));
  afterEach(async () => {
    await seen[Symbol.asyncDispose]();
  });

  it('that are served side by side have each its trace, from the caller to the handlers', async () => {
    await using app = await serve(
      {
        imports: [
          EmissionsModule.forRoot({ interceptor: 'global' }),
          EmissionsOpenTelemetryModule.forRoot({ tracerProvider: seen.provider, metrics: false }),
          Instrumented,
        ],
        controllers: [Orders],
      },
      server,
    );
    const count = 100;
    const numbers = Array.from({ length: count }, (_, n) => n);
    const answers = await Promise.all(
      numbers.map((n) =>
        app.request(
          'POST',
          `/orders/${n}`,
          {},
          {
            traceparent: `00-${traceOf(n)}-00f067aa0ba902b7-01`,
          },
        ),
      ),
    );
    expect(answers.every(({ status }) => status === 201)).toBe(true);
    await app.emissions.settled();
    for (const n of numbers) {
      const indexed = seen.one(`indexed ${n}`);
      expect(indexed.spanContext().traceId).toBe(traceOf(n));
      expect(seen.pathOf(indexed).slice(0, 3)).toEqual([
        ...[`indexed ${n}`, 'handle index', 'commit emissions'],
      ]);
    }
    await app.close();
    const committed = seen.named('commit emissions');
    expect(committed.length).toBe(count);
    for (const span of committed) expect(seen.pathOf(span)).toEqual(['commit emissions', 'server']);
  });
});
