import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Controller,
  Get,
  Post,
  Query,
  Res,
  Sse,
  StreamableFile,
  type MessageEvent,
} from '@nestjs/common';
import { Buffered, Emissions } from 'nestjs-emissions';
import { from, Subject } from 'rxjs';
import { open } from '../support/http.js';
import { site, SITES, type Site } from '../support/site.js';
import { listen } from '../support/signals.js';
import { rounds, until } from '../support/until.js';

const BIG = 'nestjs-emissions '.repeat(200_000);
const pieces = (): Readable =>
  Readable.from(BIG.match(/[^]{1,65536}/g)!.map((piece) => Buffer.from(piece)));

/** A body that the test writes piece by piece. */
let tap = new Readable({ read: () => {} });
let events = new Subject<MessageEvent>();

type Raw = ServerResponse & { raw?: ServerResponse; hijack?: () => void };

@Controller()
class Routes {
  constructor(private readonly emissions: Emissions) {}

  @Post('big')
  big() {
    this.emissions.emit('a');
    return { text: BIG };
  }

  @Post('file')
  file(@Query('length') length?: string) {
    this.emissions.emit('a');
    return new StreamableFile(pieces(), length === undefined ? {} : { length: Number(length) });
  }

  @Post('tap')
  tap() {
    this.emissions.emit('a');
    return new StreamableFile(tap);
  }

  @Post('piped')
  piped(@Res() res: Raw, @Query('status') status = '200') {
    this.emissions.emit('a');
    const raw = res.raw ?? res;
    res.hijack?.();
    raw.statusCode = Number(status);
    pieces().pipe(raw);
  }

  @Post('announced')
  announced(@Res() res: Raw) {
    this.emissions.emit('a');
    const raw = res.raw ?? res;
    res.hijack?.();
    raw.setHeader('content-length', 6);
    raw.write('abc');
    raw.write('def', () => raw.end());
  }

  @Post('lines')
  async *lines() {
    yield 'one\n';
    this.emissions.emit('a');
    await rounds();
    yield 'two\n';
    this.emissions.emit('b');
  }

  @Sse('events')
  events() {
    this.emissions.emit('a');
    return events;
  }

  @Sse('events/buffered')
  @Buffered()
  bufferedEvents() {
    this.emissions.emit('a');
    return from([{ data: '1' }, { data: '2' }]);
  }

  @Get('text')
  text() {
    return 'plain';
  }
}

describe.each(SITES)('a streamed response on %s with the %s', (server, integration) => {
  let at: Site;
  beforeAll(async () => {
    at = await site(server, integration, { controllers: [Routes] });
  });
  beforeEach(() => {
    at.sink.batches.length = 0;
    tap = new Readable({ read: () => {} });
    events = new Subject();
  });
  afterAll(() => at[Symbol.asyncDispose]());

  it.each(['/big', '/file', `/file?length=${BIG.length}`, '/piped'])(
    'arrives whole: %s',
    async (path) => {
      const { text, complete } = await at.post(path);
      expect([complete, text.length]).toEqual([
        true,
        path === '/big' ? JSON.stringify({ text: BIG }).length : BIG.length,
      ]);
      expect(text.includes(BIG)).toBe(true);
      expect(await at.names()).toEqual(['a']);
    },
  );

  it('is decided by its status', async () => {
    expect((await at.post('/piped?status=404')).text).toHaveLength(BIG.length);
    expect(await at.names()).toEqual([]);
  });

  it('is decided when it ends, and its last piece waits for the commit', async () => {
    using log = listen('emissions:buffer:committed');
    const answer = open('POST', `${at.url}/tap`);
    tap.push('one');
    const response = await answer;
    const [first] = (await once(response, 'data')) as [Buffer];
    expect([String(first), log.all.length]).toEqual(['one', 0]);
    const held = at.commits.hold();
    tap.push(null);
    let ended = false;
    response.on('end', () => (ended = true)).resume();
    await rounds(20);
    expect([ended, log.all.length]).toEqual([false, 0]);
    held.pass();
    await until(() => ended);
    expect([response.complete, log.all.length]).toEqual([true, 1]);
    expect(await at.names()).toEqual(['a']);
  });

  it('whose connection closes before terminates', async () => {
    const answer = open('POST', `${at.url}/tap`);
    tap.push('one');
    (await answer).destroy();
    await until(() => at.live === 0);
    tap.push(null);
    expect(await at.names()).toEqual([]);
  });

  it.each(['/tap', `/file?length=${BIG.length}`, '/announced'])(
    'is cut off when its commit fails, so that nobody takes it for complete: %s',
    async (path) => {
      at.commits.refuse(new Error('no'));
      tap.push('one');
      setImmediate(() => tap.push(null));
      const { status, complete } = await at.post(path);
      expect([status < 300, complete]).toEqual([true, false]);
      expect(await at.names()).toEqual([]);
    },
  );

  it('that waits for its pieces to be written arrives whole', async () => {
    expect(await at.post('/announced')).toMatchObject({ text: 'abcdef', complete: true });
    expect(await at.names()).toEqual(['a']);
  });

  it('takes what is emitted while it is being produced', async () => {
    expect(await at.post('/lines')).toMatchObject({ text: 'one\ntwo\n', complete: true });
    expect(await at.names()).toEqual(['a', 'b']);
  });

  it('of events arrives event by event; read-only, it has no buffer', async () => {
    const response = await open('GET', `${at.url}/events`);
    expect(response.headers['content-type']).toMatch(/^text\/event-stream/);
    events.next({ data: { n: 1 } });
    let text = '';
    response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    await until(() => text.includes('data: {"n":1}'));
    events.complete();
    await once(response, 'end');
    expect(response.complete).toBe(true);
    expect(await at.names()).toEqual([]);
  });

  it('of events has a buffer when it is marked, committed at its end', async () => {
    const { text, complete } = await at.ask('GET', '/events/buffered');
    expect([text.match(/data: \d/g), complete]).toEqual([['data: 1', 'data: 2'], true]);
    expect(await at.names()).toEqual(['a']);
  });

  it('leaves no buffer behind', () => {
    expect(at.live).toBe(0);
  });
});
