import { Test } from '@nestjs/testing';
import { describe, expect, it } from '@jest/globals';
import { context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { suppressTracing } from '@opentelemetry/core';
import {
  AlwaysOffSampler,
  ParentBasedSampler,
  SamplingDecision,
  type Sampler,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace';
import {
  EmissionsModule,
  IGNORED,
  PartialDeliveryError,
  PipelineClosedError,
  type AdapterRegistration,
  type Emission,
  type EmissionAdapter,
} from 'nestjs-emissions';
import { EmissionsOpenTelemetryModule } from 'nestjs-emissions/opentelemetry';
import { Tracing } from '../../../lib/emission/tracing.js';
import { start } from '../../support/app.js';
import { closeAsNest11 } from '../../support/nest-11.js';
import { factsOf, followContexts, spans } from '../../support/spans.js';
import { rounds, until } from '../../support/until.js';

followContexts();

async function traced(
  adapters: AdapterRegistration[] = [],
  about: Parameters<typeof spans>[0] = {},
) {
  const seen = spans(about);
  const app = await start({
    imports: [
      EmissionsModule.forRoot({ adapters, unbuffered: 'deliver', maxDepth: 50 }),
      EmissionsOpenTelemetryModule.forRoot({ tracerProvider: seen.provider, metrics: false }),
    ],
  });
  /** Emits in a span of the application's own. */
  const request = (name: string, ...emitted: string[]) =>
    seen.tracer.startActiveSpan(name, async (span) => {
      await app.emissions.run(() => emitted.forEach((each) => app.emissions.emit(each, 1)));
      span.end();
    });
  const dispose = async () => {
    await app.close();
    await seen[Symbol.asyncDispose]();
  };
  return { ...app, seen, request, [Symbol.asyncDispose]: dispose };
}

describe('A span', () => {
  it('of a handler is a child of the commit, which is one of what emitted', async () => {
    await using app = await traced();
    const { seen, emissions } = app;
    emissions.subscribe('order.*', () => {}, { id: 'index' });
    await app.request('POST /orders', 'order.created');
    await emissions.settled();
    const handled = seen.one('handle index');
    expect(seen.pathOf(handled)).toEqual(['handle index', 'commit emissions', 'POST /orders']);
    expect(handled.kind).toBe(SpanKind.CONSUMER);
    expect(handled.links).toEqual([]);
    expect(factsOf(handled)).toEqual({
      'messaging.operation.type': 'process',
      'messaging.operation.name': 'handle',
      'messaging.destination.name': 'order.created',
      'messaging.message.id': expect.any(String),
      'messaging.message.conversation_id': expect.any(String),
      'emissions.consumer': 'index',
      'emissions.kind': 'handler',
      'emissions.attempt': 1,
      'emissions.durable': false,
      'emissions.depth': 0,
    });
    const committed = seen.one('commit emissions');
    expect(committed.kind).toBe(SpanKind.PRODUCER);
    expect(factsOf(committed)).toMatchObject({
      'messaging.operation.type': 'send',
      'messaging.batch.message_count': 1,
      'messaging.destination.name': 'order.created',
    });
  });

  it('of an adapter is in the trace of its batch when there is one, and linked to each emission otherwise', async () => {
    const batches: number[] = [];
    const takes: EmissionAdapter = { deliver: ({ length }) => void batches.push(length) };
    await using app = await traced([{ name: 'takes', useValue: takes }]);
    const { seen } = app;
    await app.request('alone', 'a', 'b');
    await app.emissions.settled();
    const alone = seen.one('deliver takes');
    expect(seen.pathOf(alone)).toEqual(['deliver takes', 'commit emissions', 'alone']);
    expect(alone.kind).toBe(SpanKind.PRODUCER);
    expect(factsOf(alone)).toMatchObject({ 'messaging.batch.message_count': 2 });
    await Promise.all([app.request('first', 'a', 'b'), app.request('second', 'c')]);
    await app.emissions.settled();
    expect(batches).toEqual([2, 3]);
    const both = seen.named('deliver takes')[1]!;
    expect(seen.pathOf(both)).toEqual(['deliver takes']);
    expect(seen.linkedTo(both)).toEqual(['first', 'first', 'second']);
    expect(
      new Set(both.links.map(({ attributes }) => attributes?.['messaging.message.id'])).size,
    ).toBe(3);
  });

  it('is active in handlers, adapters and critical handlers, so that what they begin are its children', async () => {
    const made: Promise<void>[] = [];
    const work = async (name: string): Promise<void> => {
      await rounds(2);
      app.seen.tracer.startActiveSpan(name, (span) => span.end());
    };
    const deliver = () => {
      made.push(work('sent'));
      return made.at(-1)!;
    };
    await using app = await traced([{ name: 'takes', useValue: { deliver } }]);
    app.emissions.subscribe('*', () => work('indexed'), { id: 'index' });
    app.emissions.subscribe('*', () => work('checked'), { id: 'check', critical: true });
    await app.request('request', 'thing');
    await app.emissions.settled();
    const up = ['commit emissions', 'request'];
    const pathOf = (name: string) => app.seen.pathOf(app.seen.one(name));
    expect(pathOf('sent')).toEqual(['sent', 'deliver takes', ...up]);
    expect(pathOf('indexed')).toEqual(['indexed', 'handle index', ...up]);
    expect(pathOf('checked')).toEqual(['checked', 'handle check', ...up]);
  });

  it('of a cascade is below that of its cause, however deep', async () => {
    await using app = await traced();
    const next = async (depth: number, { metadata }: Emission) => {
      // Both those that return at once and those that do not.
      if (depth % 2 === 0) await rounds(1);
      expect(metadata['traceparent']).toBeDefined();
      if (depth < 6) app.emissions.emit('step', depth + 1);
    };
    app.emissions.subscribe(
      'step',
      (depth: unknown, emission) => {
        const result = next(depth as number, emission);
        return (depth as number) % 2 === 0 ? result : undefined;
      },
      { id: 'step' },
    );
    await app.seen.tracer.startActiveSpan('request', async (span) => {
      await app.emissions.run(() => app.emissions.emit('step', 0));
      span.end();
    });
    await app.emissions.settled();
    const deepest = app.seen
      .named('handle step')
      .find(({ attributes }) => attributes['emissions.depth'] === 6)!;
    const step = ['handle step', 'commit emissions'];
    expect(app.seen.pathOf(deepest)).toEqual([...Array(7).fill(step).flat(), 'request']);
    expect(new Set(app.seen.all.map((span) => span.spanContext().traceId)).size).toBe(1);
  });

  it('tells what went wrong, and which attempt it was', async () => {
    const failing = new TypeError('no mail today');
    let tries = 0;
    const fails = async () => {
      await rounds(1);
      if (++tries < 3) throw failing;
    };
    const retry = { attempts: 3, backoffMs: 1, jitter: 0 };
    await using app = await traced([
      { name: 'mail', useValue: { deliver: fails }, consumer: { retry } },
      {
        name: 'part',
        useValue: {
          deliver: ([first]: readonly Emission[]) => {
            throw new PartialDeliveryError([first!]);
          },
        },
      },
    ]);
    await app.request('request', 'a', 'b');
    await app.emissions.settled();
    const mails = app.seen.named('deliver mail');
    expect(mails.map(({ attributes }) => attributes['emissions.attempt'])).toEqual([1, 2, 3]);
    expect(mails.map(({ status }) => status.code)).toEqual([
      SpanStatusCode.ERROR,
      SpanStatusCode.ERROR,
      SpanStatusCode.UNSET,
    ]);
    expect(mails[0]!.status.message).toBe('no mail today');
    expect(mails[0]!.attributes['error.type']).toBe('TypeError');
    expect(mails[0]!.events).toMatchObject([{ name: 'exception' }]);
    for (const mail of mails) {
      expect(app.seen.pathOf(mail)).toEqual(['deliver mail', 'commit emissions', 'request']);
    }
    expect(app.seen.one('deliver part').attributes).toMatchObject({
      'error.type': 'PartialDeliveryError',
      'emissions.failed': 1,
    });
  });

  it('of a commit that fails tells why', async () => {
    await using app = await traced();
    app.emissions.subscribe('*', () => Promise.reject(new Error('not allowed')), {
      id: 'checks',
      critical: true,
    });
    await expect(app.request('request', 'a')).rejects.toThrow('not allowed');
    const { status } = app.seen.one('commit emissions');
    expect(status).toEqual({ code: SpanStatusCode.ERROR, message: 'not allowed' });
    expect(app.seen.one('handle checks').status.code).toBe(SpanStatusCode.ERROR);
  });

  it('of a commit is linked to what was made in another trace', async () => {
    await using app = await traced();
    const { seen, emissions } = app;
    let elsewhere: Emission | undefined;
    await seen.tracer.startActiveSpan('elsewhere', async (span) => {
      await emissions.run(() => void (elsewhere = emissions.emit('a', 1)));
      span.end();
    });
    await seen.tracer.startActiveSpan('here', async (span) => {
      await emissions.run(() => {
        emissions.emit('a', 1);
        emissions.emit('a', 1, { traceparent: elsewhere!.metadata['traceparent'] });
      });
      span.end();
    });
    const committed = seen.named('commit emissions').find((s) => s.links.length > 0)!;
    expect(seen.pathOf(committed)).toEqual(['commit emissions', 'here']);
    expect(seen.linkedTo(committed)).toEqual(['elsewhere']);
  });

  it('ends when the call has exceeded its time, though the handler goes on', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    await using app = await traced();
    app.emissions.subscribe('*', () => promise, { id: 'slow', timeoutMs: 5 });
    await app.request('request', 'a');
    await until(() => app.seen.named('handle slow').length === 1);
    const { status, attributes } = app.seen.one('handle slow');
    expect(status.code).toBe(SpanStatusCode.ERROR);
    expect(attributes['error.type']).toBe('DeliveryTimeoutError');
    resolve();
    await app.emissions.settled();
    await rounds();
    expect(app.seen.named('handle slow').length).toBe(1);
  });

  it('tells what a handler ignored, and leaves what it returns as it is', async () => {
    await using app = await traced();
    let begun = 0;
    // As query builders do: it begins anew with each then.
    // oxlint-disable-next-line unicorn/no-thenable -- it is what is tested
    const lazy = { then: (done: () => void) => (begun++, done()) };
    app.emissions.subscribe('*', () => IGNORED, { id: 'ignores' });
    app.emissions.subscribe('*', async () => IGNORED, { id: 'ignores later' });
    app.emissions.subscribe('*', () => lazy, { id: 'lazy' });
    await app.request('request', 'a');
    await app.emissions.settled();
    expect(app.seen.one('handle ignores').attributes['emissions.ignored']).toBe(true);
    expect(app.seen.one('handle ignores later').attributes['emissions.ignored']).toBe(true);
    expect(app.seen.one('handle lazy').attributes['emissions.ignored']).toBeUndefined();
    expect(begun).toBe(1);
  });

  it('is begun where nothing is active, so that what follows from one emission is in one trace', async () => {
    await using app = await traced();
    app.emissions.subscribe('*', () => {}, { id: 'index' });
    await app.emissions.run(() => app.emissions.emit('a', 1));
    app.emissions.emit('b', 1);
    await app.emissions.settled();
    for (const handled of app.seen.named('handle index')) {
      const path = ['handle index', 'commit emissions', 'create emission'];
      expect(app.seen.pathOf(handled)).toEqual(path);
    }
    expect(app.seen.named('create emission').map(({ kind }) => kind)).toEqual([
      SpanKind.PRODUCER,
      SpanKind.PRODUCER,
    ]);
  });

  it('of hundreds of units of work that run side by side mixes none of them up', async () => {
    await using app = await traced([{ name: 'takes', useValue: { deliver: () => rounds(1) } }]);
    app.emissions.subscribe(
      'first',
      async (n: unknown) => {
        await rounds((n as number) % 4);
        app.emissions.emit('second', n);
      },
      { id: 'first', concurrency: 50 },
    );
    app.emissions.subscribe(
      'second',
      (n: unknown) => {
        app.seen.tracer.startActiveSpan(`end ${String(n)}`, (span) => span.end());
      },
      { id: 'second' },
    );
    const request = (n: number) =>
      app.seen.tracer.startActiveSpan(`request ${n}`, async (span) => {
        await app.emissions.run(async () => {
          await rounds(n % 3);
          app.emissions.emit('first', n);
        });
        span.end();
      });
    await Promise.all(Array.from({ length: 300 }, (_, n) => request(n)));
    await app.emissions.settled();
    for (let n = 0; n < 300; n++) {
      const end = app.seen.one(`end ${n}`);
      expect(app.seen.pathOf(end)).toEqual([
        ...[`end ${n}`, 'handle second', 'commit emissions'],
        ...['handle first', 'commit emissions', `request ${n}`],
      ]);
    }
  });
});

describe('A sampler', () => {
  it('that wants nothing gets nothing, and the trace goes on all the same', async () => {
    const got: Emission[] = [];
    const deliver = (batch: readonly Emission[]) => void got.push(...batch);
    await using app = await traced([{ name: 'takes', useValue: { deliver } }], {
      sampler: new ParentBasedSampler({ root: new AlwaysOffSampler() }),
    });
    const ids: string[] = [];
    app.emissions.subscribe(
      '*',
      () => {
        ids.push(trace.getActiveSpan()!.spanContext().traceId);
      },
      { id: 'index' },
    );
    await app.request('request', 'a');
    await app.emissions.settled();
    expect(app.seen.all).toEqual([]);
    const [, traceId, , flags] = String(got[0]!.metadata['traceparent']).split('-');
    expect(flags).toBe('00');
    expect(ids).toEqual([traceId]);
  });

  it('that throws harms nobody, and neither does a processor', async () => {
    const fail = () => {
      throw new Error('broken');
    };
    const sampler: Sampler = {
      shouldSample: (_context, _traceId, name) =>
        name.startsWith('commit') ? fail() : { decision: SamplingDecision.RECORD_AND_SAMPLED },
      toString: () => 'broken',
    };
    const processor: SpanProcessor = {
      onStart: () => {},
      onEnd: fail,
      forceFlush: async () => {},
      shutdown: async () => {},
    };
    const handled: unknown[] = [];
    await using app = await traced([], { sampler, processors: [processor] });
    app.emissions.subscribe('*', (payload) => void handled.push(payload), { id: 'index' });
    await app.emissions.run(() => app.emissions.emit('a', 7));
    await app.emissions.settled();
    expect(handled).toEqual([7]);
  });

  it('is not asked where tracing is suppressed', async () => {
    await using app = await traced();
    app.emissions.subscribe('*', () => {}, { id: 'index' });
    await context.with(suppressTracing(context.active()), () =>
      app.emissions.run(() => {
        expect(app.emissions.emit('a', 1)?.metadata).toEqual({});
      }),
    );
    expect(app.seen.named('commit emissions')).toEqual([]);
  });
});

describe('An application', () => {
  it('without the module has no spans, and its emissions carry no trace', async () => {
    await using seen = spans();
    await using app = await start({ imports: [EmissionsModule.forRoot()] });
    let active: unknown;
    app.emissions.subscribe('*', () => void (active = trace.getActiveSpan()), { id: 'index' });
    await seen.tracer.startActiveSpan('request', async (span) => {
      await app.emissions.run(() => expect(app.emissions.emit('a', 1)?.metadata).toEqual({}));
      span.end();
    });
    await app.emissions.settled();
    expect(seen.all.map(({ name }) => name)).toEqual(['request']);
    expect(active).toBeUndefined();
  });

  it('can do without spans', async () => {
    await using seen = spans();
    await using app = await start({
      imports: [
        EmissionsModule.forRoot(),
        EmissionsOpenTelemetryModule.forRoot({ tracerProvider: seen.provider, spans: false }),
      ],
    });
    await app.emissions.run(() => expect(app.emissions.emit('a', 1)?.metadata).toEqual({}));
    expect(seen.all).toEqual([]);
  });

  it.each(['Nest 11', 'Nest 12'])(
    'traces what it delivers while it closes as %s does, and nothing afterwards',
    async (version) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      await using app = await traced([{ name: 'takes', useValue: { deliver: () => promise } }]);
      if (version === 'Nest 11') closeAsNest11(app.app);
      await app.request('request', 'a');
      const closing = app.close();
      resolve();
      await closing;
      expect(app.seen.named('deliver takes').length).toBe(1);
      const before = app.seen.all.length;
      const late = app.emissions.run(() => app.emissions.emit('a', 1));
      await expect(late).rejects.toThrow(PipelineClosedError);
      expect(app.seen.all.length).toBe(before);
      expect(app.app.get(Tracing).tracer).toBeUndefined();
    },
  );

  it('without EmissionsModule is told what is missing', async () => {
    const module = await Test.createTestingModule({
      imports: [EmissionsOpenTelemetryModule.forRoot()],
    }).compile();
    await expect(module.init()).rejects.toThrow(/add EmissionsModule\.forRoot\(\)/);
  });

  it('does not show up in the spans of another one in the process', async () => {
    await using one = await traced();
    await using other = await traced();
    await one.request('request', 'a');
    await one.emissions.settled();
    expect(one.seen.named('commit emissions').length).toBe(1);
    expect(other.seen.all).toEqual([]);
  });
});
