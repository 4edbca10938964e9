import { describe, expect, it } from '@jest/globals';
import {
  Controller,
  Get,
  Injectable,
  Module,
  Param,
  Post,
  Query,
  RequestTimeoutException,
  Res,
  Scope,
  Sse,
  UseInterceptors,
  UsePipes,
  type CallHandler,
  type ExecutionContext,
  type MiddlewareConsumer,
  type ModuleMetadata,
  type NestInterceptor,
  type NestModule,
  type PipeTransform,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyAdapter } from '@nestjs/platform-fastify';
import {
  Buffered,
  Emissions,
  EmissionsInterceptor,
  EmissionsMiddleware,
  EmissionsModule,
  type EmissionsOptions,
} from 'nestjs-emissions';
import type { ServerResponse } from 'node:http';
import {
  catchError,
  concat,
  map,
  mergeMap,
  of,
  retry,
  throwError,
  timeout,
  type Observable,
} from 'rxjs';
import { RecordingAdapter } from '../support/adapters.js';
import { serve, SERVERS, type Server } from '../support/app.js';
import { ask } from '../support/http.js';
import { silence } from '../support/logs.js';
import { listen } from '../support/signals.js';

/** An interceptor that does one thing with what the handler gives. */
const around = (work: (next: CallHandler, context: ExecutionContext) => Observable<unknown>) =>
  ({ intercept: (context, next) => work(next, context) }) satisfies NestInterceptor;

const retrying = around((next) => next.handle().pipe(retry(2)));
const failing = around((next) =>
  next.handle().pipe(
    map(() => {
      throw new Error('too late');
    }),
  ),
);
const restating = around((next, context) =>
  next.handle().pipe(
    map((value) => {
      context.switchToHttp().getResponse<{ status(code: number): void }>().status(409);
      return value;
    }),
  ),
);
const impatient = around((next) =>
  next.handle().pipe(
    timeout(5),
    catchError(() => throwError(() => new RequestTimeoutException())),
  ),
);

@Injectable()
class Inner implements NestInterceptor {
  constructor(private readonly emissions: Emissions) {}

  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    this.emissions.emit('inner.before');
    return next.handle().pipe(
      map((value) => {
        this.emissions.emit('inner.after');
        return value as unknown;
      }),
    );
  }
}

@Injectable()
class Emitting implements PipeTransform {
  constructor(private readonly emissions: Emissions) {}

  transform(value: unknown): unknown {
    this.emissions.emit('pipe');
    return value;
  }
}

const attempts = { count: 0, end: () => {} };

@Controller({ scope: Scope.REQUEST })
class Routes {
  constructor(private readonly emissions: Emissions) {}

  @Post('plain')
  plain() {
    this.emissions.emit('a');
  }

  @Post('retried')
  @UseInterceptors(retrying, EmissionsInterceptor)
  async retried() {
    const attempt = ++attempts.count;
    this.emissions.emit(`attempt.${attempt}`);
    await Promise.resolve();
    if (attempt < 3) throw new Error('again');
  }

  @Post('failing')
  @UseInterceptors(failing, EmissionsInterceptor)
  failing() {
    this.emissions.emit('a');
  }

  @Post('restating')
  @UseInterceptors(restating, EmissionsInterceptor)
  restating() {
    this.emissions.emit('a');
  }

  @Post('impatient')
  @UseInterceptors(impatient, EmissionsInterceptor)
  async impatient() {
    this.emissions.emit('a');
    await new Promise<void>((resolve) => (attempts.end = resolve));
    this.emissions.emit('late');
  }

  @Post('twice')
  @UseInterceptors(EmissionsInterceptor, EmissionsInterceptor)
  twice() {
    this.emissions.emit('a');
  }

  @Get('twice')
  @UseInterceptors(EmissionsInterceptor, EmissionsInterceptor)
  readTwice() {
    return { taken: this.emissions.emit('a') !== undefined };
  }

  @Post('breaks-off')
  @UseInterceptors(EmissionsInterceptor)
  async breaksOff(@Res() res: ServerResponse & { raw?: ServerResponse; hijack?: () => void }) {
    this.emissions.emit('a');
    res.hijack?.();
    const raw = res.raw ?? res;
    raw.statusCode = 201;
    raw.write('half');
    try {
      await Promise.reject(new Error('no more'));
    } finally {
      setImmediate(() => raw.end());
    }
  }

  @Sse('breaks-off')
  @Buffered()
  @UseInterceptors(EmissionsInterceptor)
  events() {
    this.emissions.emit('a');
    return concat(
      of({ data: '1' }),
      throwError(() => new Error('no more')),
    );
  }

  @Post('within')
  @UseInterceptors(EmissionsInterceptor, Inner)
  @UsePipes(Emitting)
  within(@Query('q') _q: string) {
    this.emissions.emit('handler');
    return of(1, 2, 3).pipe(
      mergeMap(async (n) => {
        await Promise.resolve();
        this.emissions.emit(`step.${n}`);
        return n;
      }),
    );
  }
}

async function routes(server: Server, metadata: ModuleMetadata, sink: RecordingAdapter) {
  const running = await serve({ controllers: [Routes], providers: [Inner], ...metadata }, server);
  const names = async (): Promise<string[]> => {
    await running.emissions.settled();
    return sink.names;
  };
  const post = async (path: string) => (await ask('POST', running.url + path)).status;
  return { ...running, names, post, [Symbol.asyncDispose]: () => running.close() };
}

const served = (sink: RecordingAdapter) => ({ adapters: [{ name: 'sink', useValue: sink }] });

describe.each(SERVERS)('the interceptor on %s', (server) => {
  const open = (options: EmissionsOptions & { interceptor?: 'global' } = {}) => {
    const sink = new RecordingAdapter();
    const root = EmissionsModule.forRoot({ ...served(sink), ...options });
    return routes(server, { imports: [root] }, sink);
  };

  it('gives routes a buffer that it stands on, and no others', async () => {
    await using at = await open();
    expect([await at.post('/plain'), await at.post('/twice')]).toEqual([201, 201]);
    expect(await at.names()).toEqual(['a']);
  });

  it.each(['POST', 'GET'])(
    'terminates the buffer of a handler that fails after the head has left (%s)',
    async (method) => {
      silence();
      await using at = await open();
      using log = listen('emissions:buffer:terminated');
      const answer = await ask(method, `${at.url}/breaks-off`);
      expect(answer.status).toBe(method === 'POST' ? 201 : 200);
      expect(await at.names()).toEqual([]);
      expect(log.all).toHaveLength(1);
    },
  );

  it.each(['POST', 'GET'])('does so behind the middleware, too (%s)', async (method) => {
    silence();
    const sink = new RecordingAdapter();
    @Module({})
    class Behind implements NestModule {
      configure(consumer: MiddlewareConsumer): void {
        consumer.apply(EmissionsMiddleware).forRoutes('{*path}');
      }
    }
    const root = EmissionsModule.forRoot(served(sink));
    await using at = await routes(server, { imports: [root, Behind] }, sink);
    using log = listen('emissions:buffer:terminated');
    await ask(method, `${at.url}/breaks-off`);
    expect(await at.names()).toEqual([]);
    expect(log.all).toHaveLength(1);
    expect(await at.post('/plain')).toBe(201);
    expect(await at.names()).toEqual(['a']);
  });

  it("stands on all with the option interceptor: 'global'", async () => {
    await using at = await open({ interceptor: 'global' });
    expect(await at.post('/plain')).toBe(201);
    expect(await at.names()).toEqual(['a']);
  });

  it.each([
    ['in forRootAsync, beside the factory', { useFactory: () => ({ http: {} }) }],
    [
      'in forRootAsync, with a class',
      {
        useClass: class {
          createEmissionsOptions = (): EmissionsOptions => ({});
        },
      },
    ],
  ])('stands on all with it %s', async (_, async) => {
    const sink = new RecordingAdapter();
    const root = EmissionsModule.forRootAsync({ ...served(sink), ...async, interceptor: 'global' });
    await using at = await routes(server, { imports: [root] }, sink);
    expect(await at.post('/plain')).toBe(201);
    expect(await at.names()).toEqual(['a']);
  });

  it.each(['manual', 'global'] as const)(
    'applied more than once (%s) is one',
    async (interceptor) => {
      await using at = await open({ interceptor } as { interceptor: 'global' });
      using log = listen('emissions:buffer:started', 'emissions:buffer:committed');
      expect(await at.post('/twice')).toBe(201);
      expect(log.all.map(({ channel }) => channel)).toEqual([
        'emissions:buffer:started',
        'emissions:buffer:committed',
      ]);
      expect((await ask('GET', `${at.url}/twice`)).text).toBe('{"taken":false}');
      expect(await at.names()).toEqual(['a']);
      expect(log.all).toHaveLength(2);
    },
  );

  it('delivers of several attempts at a handler what the last one emitted', async () => {
    await using at = await open();
    attempts.count = 0;
    expect(await at.post('/retried')).toBe(201);
    expect(attempts.count).toBe(3);
    expect(await at.names()).toEqual(['attempt.3']);
  });

  it.each([
    ['fails', '/failing', 500],
    ['sets another status', '/restating', 409],
  ])('discards when an interceptor around it %s afterwards', async (_, path, status) => {
    await using at = await open();
    expect(await at.post(path)).toBe(status);
    expect(await at.names()).toEqual([]);
  });

  it('discards when an interceptor around it has given up waiting', async () => {
    await using at = await open();
    using log = listen('emissions:emission:dropped');
    expect(await at.post('/impatient')).toBe(408);
    attempts.end();
    await new Promise((resolve) => setImmediate(resolve));
    expect(log.all.map(({ message }) => message.emission)).toEqual(['late']);
    expect(await at.names()).toEqual([]);
  });

  it('takes what interceptors and pipes within it emit, and what an Observable does', async () => {
    await using at = await open();
    expect(await at.post('/within')).toBe(201);
    expect(await at.names()).toEqual([
      'inner.before',
      'pipe',
      'handler',
      'step.1',
      'step.2',
      'step.3',
      'inner.after',
      'inner.after',
      'inner.after',
    ]);
  });
});

@Controller()
@UseInterceptors(EmissionsInterceptor)
class Nested {
  constructor(
    private readonly emissions: Emissions,
    private readonly host: HttpAdapterHost<FastifyAdapter>,
  ) {}

  @Post('outer/:outcome')
  async outer(@Param('outcome') outcome: string) {
    this.emissions.emit('outer.before');
    const { statusCode } = await this.host.httpAdapter.inject({ method: 'POST', url: '/inner' });
    this.emissions.emit(`outer.after.${statusCode}`);
    if (outcome === 'fails') throw new Error('after all');
  }

  @Post('inner')
  inner() {
    this.emissions.emit('inner');
  }
}

describe('A request that another one makes of its own application (inject)', () => {
  it.each([
    ['succeeds', 201, ['outer.before', 'inner', 'outer.after.201']],
    ['fails', 500, []],
  ])('has the buffer of that one, which %s', async (outcome, status, delivered) => {
    const sink = new RecordingAdapter();
    const imports = [EmissionsModule.forRoot(served(sink))];
    await using running = await serve({ imports, controllers: [Nested] }, 'fastify');
    expect((await ask('POST', `${running.url}/outer/${outcome}`)).status).toBe(status);
    await running.emissions.settled();
    expect(sink.names).toEqual(delivered);
  });
});
