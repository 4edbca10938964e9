import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Controller,
  Get,
  Param,
  Post,
  Res,
  UseGuards,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import { Emissions } from 'nestjs-emissions';
import { HeldAdapter } from '../support/adapters.js';
import { oneConnection } from '../support/http.js';
import { site, SITES, type Site } from '../support/site.js';
import { listen } from '../support/signals.js';
import { rounds, until } from '../support/until.js';

/** Lets the test stop a request in the middle. */
const stops = {
  reached: 0,
  go: Promise.withResolvers<void>(),
  async here(): Promise<void> {
    this.reached++;
    await this.go.promise;
  },
  again(): void {
    this.reached = 0;
    this.go = Promise.withResolvers<void>();
  },
};

class Slow implements CanActivate {
  static socket: Socket;

  async canActivate(context: ExecutionContext): Promise<boolean> {
    Slow.socket = context.switchToHttp().getRequest<{ socket: Socket }>().socket;
    await stops.here();
    return true;
  }
}

interface Reply {
  status(code: number): Reply;
  send(body?: unknown): void;
}

@Controller()
class Routes {
  constructor(private readonly emissions: Emissions) {}

  @Post('emit/:name')
  emit(@Param('name') name: string) {
    this.emissions.emit(name);
    return { name };
  }

  @Post('fail/:name')
  fail(@Param('name') name: string) {
    this.emissions.emit(name);
    throw new Error('no');
  }

  @Post('stop')
  async stop() {
    this.emissions.emit('before');
    await stops.here();
    this.emissions.emit('after');
    return {};
  }

  @Post('guarded')
  @UseGuards(Slow)
  guarded() {
    this.emissions.emit('a');
  }

  @Post('twice')
  twice(@Res() res: Reply) {
    this.emissions.emit('a');
    res.status(200).send({ answer: 1 });
    throw new Error('after it was sent');
  }

  @Get('leak')
  leak() {
    this.emissions.start();
    this.emissions.emit('leaked');
    return {};
  }

  @Get('read/:name')
  read(@Param('name') name: string) {
    return { taken: this.emissions.emit(name) !== undefined };
  }
}

describe.each(SITES)('a response on %s with the %s', (server, integration) => {
  let at: Site;
  beforeAll(async () => {
    at = await site(server, integration, { controllers: [Routes] });
  });
  beforeEach(() => {
    at.sink.batches.length = 0;
    stops.again();
  });
  afterAll(() => at[Symbol.asyncDispose]());

  it('arrives after its emissions were handed over', async () => {
    using log = listen('emissions:buffer:committed');
    const held = at.commits.hold();
    let arrived = false;
    const answer = at.post('/emit/a').then((got) => {
      arrived = true;
      return got;
    });
    await until(() => at.live === 1);
    await rounds(20);
    expect([arrived, log.all.length]).toEqual([false, 0]);
    held.pass();
    const { status, text } = await answer;
    expect([status, text, log.all.length]).toEqual([201, '{"name":"a"}', 1]);
    expect(await at.names()).toEqual(['a']);
  });

  it('is held back until there is room with a consumer that is waited for', async () => {
    const slow = new HeldAdapter();
    at.emissions.addAdapter('slow', slow, { capacity: 1, batchSize: 1, overflow: 'wait' });
    using log = listen('emissions:consumer:waiting');
    const answers = ['a', 'b', 'c', 'd'].map((name) => at.post(`/emit/${name}`));
    await until(() => log.all.length > 0);
    await rounds(20);
    const settled = Promise.all(answers);
    while (slow.emissions.length < 4 || slow.running > 0) {
      await until(() => slow.running > 0);
      slow.release();
      await rounds();
    }
    expect((await settled).map(({ status }) => status)).toEqual([201, 201, 201, 201]);
    expect(slow.names.toSorted()).toEqual(['a', 'b', 'c', 'd']);
    await at.emissions.removeAdapter('slow');
  });

  it('is the first one that was sent, also while its commit waits', async () => {
    for (const waits of [false, true]) {
      const held = waits ? at.commits.hold() : undefined;
      const answer = at.post('/twice');
      if (waits) await until(() => at.live === 1);
      await rounds(20);
      held?.pass();
      const { status, text, headers, complete } = await answer;
      expect([status, text, complete]).toEqual([200, '{"answer":1}', true]);
      expect(headers['content-length']).toBe('12');
    }
    expect(await at.names()).toEqual(['a', 'a']);
  });

  it('that nobody waits for any more terminates: nothing is delivered, no buffer stays', async () => {
    const abort = new AbortController();
    using log = listen('emissions:buffer:terminated', 'emissions:emission:dropped');
    const answer = at.post('/stop', undefined, { signal: abort.signal });
    await until(() => stops.reached === 1);
    expect(at.live).toBe(1);
    abort.abort();
    await expect(answer).rejects.toThrow('aborted');
    await until(() => at.live === 0);
    stops.go.resolve();
    await until(() => log.all.length === 2);
    expect(await at.names()).toEqual([]);
    expect(log.all).toEqual([
      { channel: 'emissions:buffer:terminated', message: { count: 1, savepoint: false } },
      {
        channel: 'emissions:emission:dropped',
        message: { reason: 'buffer-closed', emission: 'after', count: 1 },
      },
    ]);
  });

  it('that nobody waited for when the route began delivers nothing either', async () => {
    const abort = new AbortController();
    using log = listen('emissions:emission:dropped');
    const answer = at.post('/guarded', undefined, { signal: abort.signal });
    await until(() => stops.reached === 1);
    const closed = once(Slow.socket, 'close');
    abort.abort();
    await expect(answer).rejects.toThrow('aborted');
    await closed;
    await rounds();
    stops.go.resolve();
    await until(() => log.all.length === 1);
    expect(log.all[0]!.message.reason).toBe('buffer-closed');
    expect(await at.names()).toEqual([]);
    expect(at.live).toBe(0);
  });

  it('that waited behind another one when its connection closed delivers nothing', async () => {
    const socket = connect(Number(new URL(at.url).port), '127.0.0.1');
    socket.write('POST /stop HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n'.repeat(2));
    await until(() => stops.reached === 2);
    expect(at.live).toBe(2);
    socket.destroy();
    await until(() => at.live < 2);
    stops.go.resolve();
    await until(() => at.live === 0);
    expect(await at.names()).toEqual([]);
  });

  it('leaves nothing to the next request on its connection', async () => {
    const agent = oneConnection();
    const statuses: number[] = [];
    for (const [method, path] of [
      ['POST', '/emit/a'],
      ['POST', '/fail/b'],
      ['GET', '/leak'],
      ['GET', '/read/c'],
      ['POST', '/nowhere'],
      ['POST', '/emit/d'],
      ['GET', '/read/e'],
    ] as const) {
      const { status, text } = await at.ask(method, path, { agent });
      statuses.push(status);
      if (path.startsWith('/read')) statuses.push(text === '{"taken":false}' ? 0 : 1);
    }
    expect(statuses).toEqual([201, 500, 200, 200, 0, 404, 201, 200, 0]);
    // Started by hand in a read-only request, and ended with it.
    expect(await at.names()).toEqual(['a', 'leaked', 'd']);
    expect(at.live).toBe(0);
    agent.destroy();
  });

  it('leaves nothing to the next request that was sent along with it', async () => {
    const { hostname, port } = new URL(at.url);
    const socket = connect(Number(port), hostname);
    const lines = (method: string, path: string, end = '') =>
      `${method} ${path} HTTP/1.1\r\nhost: x\r\n${method === 'POST' ? 'content-length: 0\r\n' : ''}${end}\r\n`;
    socket.write(
      lines('POST', '/emit/a') +
        lines('POST', '/fail/b') +
        lines('GET', '/read/c') +
        lines('POST', '/emit/d') +
        lines('GET', '/read/e', 'connection: close\r\n'),
    );
    let text = '';
    for await (const chunk of socket) text += String(chunk);
    expect(text.match(/HTTP\/1.1 \d+/g)?.map((line) => line.slice(-3))).toEqual([
      '201',
      '500',
      '200',
      '201',
      '200',
    ]);
    expect(text.match(/"taken":\w+/g)).toEqual(['"taken":false', '"taken":false']);
    expect((await at.names()).toSorted()).toEqual(['a', 'd']);
    expect(at.live).toBe(0);
  });
});
