import type { ServerResponse } from 'node:http';
import { inspect } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Catch,
  ConflictException,
  Controller,
  Delete,
  Header,
  Injectable,
  Param,
  Post,
  Req,
  Res,
  Scope,
  StreamableFile,
  UseFilters,
  type ArgumentsHost,
  type ExceptionFilter,
} from '@nestjs/common';
import { Emissions, OnEmission } from 'nestjs-emissions';
import { captureLogs } from '../support/logs.js';
import { HeldAdapter } from '../support/adapters.js';
import { site, SITES, type Site } from '../support/site.js';
import { listen } from '../support/signals.js';

class OutOfStock extends Error {}
class Unanswerable extends Error {}

/** Says no in the words of the application. */
@Injectable({ scope: Scope.REQUEST })
@Catch(OutOfStock)
class SoldOut implements ExceptionFilter {
  catch(_error: OutOfStock, host: ArgumentsHost): void {
    interface Reply {
      status(code: number): { send(body: unknown): void };
    }
    host.switchToHttp().getResponse<Reply>().status(422).send({ soldOut: true });
  }
}

@Catch(Unanswerable)
class Broken implements ExceptionFilter {
  catch(): void {
    throw new Error('the filter is broken');
  }
}

@Injectable()
class Stock {
  @OnEmission('check.*', { critical: true })
  check({ error }: { error: string }) {
    if (error === 'conflict') throw new ConflictException('taken');
    if (error === 'domain') throw new OutOfStock('none left');
    if (error === 'broken') throw new Unanswerable();
    if (error === 'unknown') throw new Error('secret');
  }
}

@Controller()
@UseFilters(SoldOut, Broken)
class Routes {
  constructor(private readonly emissions: Emissions) {}

  @Post('many/:count')
  many(@Param('count') count: string) {
    for (let i = 0; i < Number(count); i++) this.emissions.emit('a');
    return { count };
  }

  @Post('check/:error')
  check(@Param('error') error: string) {
    this.emissions.emit('check.it', { error });
    return {};
  }

  @Post('dressed')
  @Header('access-control-allow-origin', 'https://shop.example')
  @Header('content-security-policy', "default-src 'self'")
  @Header('content-language', 'fr')
  @Header('etag', '"1"')
  dressed(@Res({ passthrough: true }) res: Dressed) {
    res.header('set-cookie', ['a=1', 'b=2']);
    this.emissions.emit('a');
    return { fine: 'ça va' };
  }

  @Post('file')
  file() {
    this.emissions.emit('a');
    return new StreamableFile(Buffer.from('content'), {
      disposition: 'attachment; filename=a.txt',
    });
  }

  @Post('by-hand/:how')
  byHand(@Param('how') how: string, @Res() res: { raw?: ServerResponse } & ServerResponse) {
    this.emissions.emit('a');
    const raw = res.raw ?? res;
    const said = { 'content-type': 'text/plain', 'content-length': '2', 'x-request': '1' };
    if (how === 'object') raw.writeHead(201, said);
    if (how === 'text') raw.writeHead(201, 'Made', said);
    if (how === 'list') raw.writeHead(201, Object.entries(said).flat());
    raw.end('ok');
  }

  @Delete('empty')
  empty(@Res({ passthrough: true }) res: Dressed, @Req() _request: unknown) {
    this.emissions.emit('a');
    res.status(204);
  }
}

interface Dressed {
  status(code: number): void;
  header(name: string, value: string[]): void;
}

const json = (text: string): unknown => JSON.parse(text);

describe.each(SITES)('a commit that fails on %s with the %s', (server, integration) => {
  let at: Site;
  beforeAll(async () => {
    at = await site(
      server,
      integration,
      { controllers: [Routes], providers: [Stock] },
      { pipeline: { waitTimeoutMs: 20 } },
    );
  });
  afterAll(() => at[Symbol.asyncDispose]());

  beforeEach(() => {
    at.sink.batches.length = 0;
  });

  it.each(['reject', 'wait'] as const)(
    'for want of room (%s) answers a plain 503, logs why, and nothing is delivered',
    async (overflow) => {
      using logs = captureLogs();
      const full = new HeldAdapter();
      at.emissions.addAdapter('full', full, { capacity: 2, batchSize: 1, overflow });
      using log = listen('emissions:buffer:terminated');
      expect((await at.post('/many/2')).status).toBe(201);
      const { status, text, headers } = await at.post('/many/2');
      expect(status).toBe(503);
      expect(json(text)).toEqual({
        statusCode: 503,
        message: 'Service Unavailable',
      });
      const logged = inspect(logs.entries.filter(({ level }) => level === 'error'));
      expect(logged).toContain('The queue of the adapter full is full');
      expect(headers['content-length']).toBe(String(Buffer.byteLength(text)));
      expect(log.all.map(({ message }) => [message.count, message.error])).toEqual([
        [2, expect.objectContaining({ code: 'EMISSIONS_PIPELINE_FULL' })],
      ]);
      const removed = at.emissions.removeAdapter('full');
      full.release();
      await removed;
      expect(await at.names()).toEqual(['a', 'a']);
    },
  );

  it.each([
    ['conflict', 409, { statusCode: 409, message: 'taken', error: 'Conflict' }],
    ['unknown', 500, { statusCode: 500, message: 'Internal server error' }],
    ['broken', 500, { statusCode: 500, message: 'Internal server error' }],
    ['none', 201, {}],
  ])(
    'because of a critical handler (%s) answers its own status, %i',
    async (error, status, body) => {
      const answer = await at.post(`/check/${error}`);
      expect([answer.status, json(answer.text)]).toEqual([status, body]);
    },
  );

  it.each([
    ['unknown', 1],
    ['conflict', 0],
  ])(
    'because of a critical handler (%s) is logged as often as if the route had thrown it: %i times',
    async (error, times) => {
      using logs = captureLogs();
      await at.post(`/check/${error}`);
      expect(logs.of('error')).toHaveLength(times);
    },
  );

  it('goes through the exception filters, the route’s with the interceptor', async () => {
    const { status, text } = await at.post('/check/domain');
    expect([status, json(text)]).toEqual(
      integration === 'interceptor'
        ? [422, { soldOut: true }]
        : [500, { statusCode: 500, message: 'Internal server error' }],
    );
  });

  it.each([false, true])(
    'answers without the headers of the body, with all others (%p)',
    async (fails) => {
      if (fails) at.commits.refuse(new ConflictException());
      const { status, headers, text } = await at.post('/dressed');
      expect(headers).toMatchObject({
        'access-control-allow-origin': 'https://shop.example',
        'content-security-policy': "default-src 'self'",
        'set-cookie': ['a=1', 'b=2'],
        'content-length': String(Buffer.byteLength(text)),
        'content-type': 'application/json; charset=utf-8',
      });
      expect(status).toBe(fails ? 409 : 201);
      expect(json(text)).toEqual(
        fails ? { statusCode: 409, message: 'Conflict' } : { fine: 'ça va' },
      );
      expect([headers['etag'] === '"1"', headers['content-language']]).toEqual(
        fails ? [false, undefined] : [true, 'fr'],
      );
    },
  );

  it.each(['object', 'text', 'list'])(
    'after writeHead with an %s answers all the same',
    async (how) => {
      const good = await at.post(`/by-hand/${how}`);
      expect([good.status, good.text, good.headers['x-request']]).toEqual([201, 'ok', '1']);
      at.commits.refuse(new ConflictException());
      const { status, headers, text } = await at.post(`/by-hand/${how}`);
      expect([status, headers['x-request'], headers['content-length']]).toEqual([
        409,
        '1',
        String(Buffer.byteLength(text)),
      ]);
      expect(headers['content-type']).toMatch(/^application\/json/);
      expect(json(text)).toMatchObject({ statusCode: 409 });
    },
  );

  it('in place of an empty answer has a body', async () => {
    expect(await at.ask('DELETE', '/empty')).toMatchObject({ status: 204, text: '' });
    at.commits.refuse(new ConflictException());
    const { status, text } = await at.ask('DELETE', '/empty');
    expect([status, json(text)]).toEqual([409, { statusCode: 409, message: 'Conflict' }]);
  });

  it('in place of a file of one piece answers an error, too', async () => {
    expect(await at.post('/file')).toMatchObject({ status: 201, text: 'content', complete: true });
    at.commits.refuse(new ConflictException());
    const { status, text, headers } = await at.post('/file');
    expect([status, json(text)]).toEqual([409, { statusCode: 409, message: 'Conflict' }]);
    expect(headers['content-disposition']).toBeUndefined();
  });

  it('leaves no buffer behind', () => {
    expect(at.live).toBe(0);
  });
});
