import { request } from 'node:http';
import { once, type EventEmitter } from 'node:events';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Body,
  Catch,
  Controller,
  Get,
  Injectable,
  Module,
  Post,
  Req,
  UseGuards,
  UseInterceptors,
  type ArgumentsHost,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
  type MiddlewareConsumer,
  type NestModule,
} from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import {
  Buffered,
  Emissions,
  EmissionsInterceptor,
  EmissionsMiddleware,
  PipelineFullError,
  Unbuffered,
} from 'nestjs-emissions';
import { SERVERS } from '../support/app.js';
import { site, type Site } from '../support/site.js';
import { listen } from '../support/signals.js';
import { rounds } from '../support/until.js';

/** Knows who asks, and says so. */
@Injectable()
class Login implements CanActivate {
  constructor(private readonly emissions: Emissions) {}

  canActivate(context: ExecutionContext): boolean {
    const asked = context
      .switchToHttp()
      .getRequest<{ headers: { user?: string }; user?: string }>();
    asked.user = asked.headers.user ?? 'nobody';
    if (asked.user !== 'nobody') this.emissions.emit('user.seen');
    return asked.user !== 'blocked';
  }
}

@Catch(PipelineFullError)
class Busy implements ExceptionFilter {
  catch(_error: PipelineFullError, host: ArgumentsHost): void {
    interface Reply {
      status(code: number): { send(body: unknown): void };
    }
    host.switchToHttp().getResponse<Reply>().status(429).send({ busy: true });
  }
}

@Controller()
@UseGuards(Login)
class Routes {
  constructor(private readonly emissions: Emissions) {}

  @Post('plain')
  plain(@Body() body: unknown) {
    this.emissions.emit('a', body);
  }

  @Post('both')
  @UseInterceptors(EmissionsInterceptor)
  both() {
    this.emissions.emit('a');
  }

  @Get('both')
  @UseInterceptors(EmissionsInterceptor)
  readBoth() {
    return { taken: this.emissions.emit('a') !== undefined };
  }

  @Get('buffered')
  @UseInterceptors(EmissionsInterceptor)
  @Buffered()
  buffered() {
    this.emissions.emit('a');
  }

  @Post('unbuffered')
  @Unbuffered()
  unbuffered(@Req() _request: unknown) {
    return { taken: this.emissions.emit('a') !== undefined };
  }
}

const metadata = {
  controllers: [Routes],
  providers: [{ provide: APP_FILTER, useClass: Busy }],
};

const context = (execution: ExecutionContext) => ({
  metadata: { user: execution.switchToHttp().getRequest<{ user?: string }>().user },
});

describe.each(SERVERS)('the middleware on %s', (server) => {
  let at: Site;
  beforeAll(async () => {
    at = await site(server, 'middleware', metadata, { context });
  });
  beforeEach(() => {
    at.sink.batches.length = 0;
  });
  afterAll(() => at[Symbol.asyncDispose]());

  it('gives guards the buffer of the request too', async () => {
    expect((await at.post('/plain', {}, { headers: { user: 'u' } })).status).toBe(201);
    expect(await at.names()).toEqual(['user.seen', 'a']);
  });

  it('discards what a guard emitted that refused', async () => {
    expect((await at.post('/plain', {}, { headers: { user: 'blocked' } })).status).toBe(403);
    expect(await at.names()).toEqual([]);
  });

  it('follows a request whose body arrives after its head', async () => {
    const message = request(`${at.url}/plain`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-length': 7 },
    });
    const begun = once(at.app.getHttpServer() as EventEmitter, 'request');
    message.flushHeaders();
    await begun;
    await rounds();
    message.end('{"n":1}');
    const [response] = (await once(message, 'response')) as [
      { statusCode: number; resume(): void },
    ];
    response.resume();
    expect(response.statusCode).toBe(201);
    expect((await at.delivered()).map(({ payload }) => payload)).toEqual([{ n: 1 }]);
  });

  it('works the context out after the guards have run, with the request that they saw', async () => {
    await at.post('/plain', { n: 1 });
    expect((await at.delivered()).map(({ metadata: { user } }) => user)).toEqual(['nobody']);
  });

  it('and the interceptor on one route are one: one buffer, one commit', async () => {
    using log = listen('emissions:buffer:started', 'emissions:buffer:committed');
    expect((await at.post('/both')).status).toBe(201);
    expect(await at.names()).toEqual(['a']);
    expect(log.all.map(({ channel }) => channel)).toEqual([
      'emissions:buffer:started',
      'emissions:buffer:committed',
    ]);
    expect((await at.ask('GET', '/both')).text).toBe('{"taken":false}');
  });

  it('leaves it to @Buffered to give a read-only route a buffer', async () => {
    expect((await at.ask('GET', '/buffered')).status).toBe(200);
    expect(await at.names()).toEqual(['a']);
  });

  it('leaves it to @Unbuffered to take the buffer from a route', async () => {
    expect((await at.post('/unbuffered')).text).toBe('{"taken":false}');
    expect(await at.names()).toEqual([]);
  });

  it('answers a failed commit through the global exception filters', async () => {
    at.commits.refuse(new PipelineFullError('sink', 'full'));
    const { status, text } = await at.post('/plain', { n: 1 });
    expect([status, text]).toEqual([429, '{"busy":true}']);
    expect(await at.names()).toEqual([]);
  });

  it('leaves no buffer behind', () => {
    expect(at.live).toBe(0);
  });
});

@Module({})
class Some implements NestModule {
  configure(consumer: MiddlewareConsumer): void {
    consumer.apply(EmissionsMiddleware).forRoutes('plain');
  }
}

it.each(SERVERS)('on %s, the middleware may stand in front of some routes only', async (server) => {
  await using at = await site(server, 'interceptor', { controllers: [Routes], imports: [Some] });
  using log = listen('emissions:buffer:started');
  for (const path of ['/plain', '/both']) expect((await at.post(path)).status).toBe(201);
  expect(await at.names()).toEqual(['a', 'a']);
  expect(log.all).toHaveLength(2);
});
