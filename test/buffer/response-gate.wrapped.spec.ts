import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, Post, Res } from '@nestjs/common';
import { Emissions } from 'nestjs-emissions';
import { compress } from '../support/compress.js';
import { open } from '../support/http.js';
import { site, type Site } from '../support/site.js';

const BIG = 'nestjs-emissions '.repeat(200_000);

@Controller()
class Routes {
  constructor(private readonly emissions: Emissions) {}

  @Post('big')
  big() {
    this.emissions.emit('a');
    return { text: BIG };
  }

  @Post('piped')
  piped(@Res() res: ServerResponse) {
    this.emissions.emit('a');
    Readable.from(BIG.match(/[^]{1,65536}/g)!.map((piece) => Buffer.from(piece))).pipe(res);
  }

  @Get('text')
  text() {
    return 'plain';
  }
}

describe.each([
  ['interceptor', 'before'],
  ['middleware', 'before'],
  ['middleware', 'after'],
] as const)('with the %s and a compressing middleware %s it,', (integration, place) => {
  let at: Site;
  beforeAll(async () => {
    const around = { [place]: compress };
    at = await site('express', integration, { controllers: [Routes] }, {}, around);
  });
  beforeEach(() => {
    at.sink.batches.length = 0;
  });
  afterAll(() => at[Symbol.asyncDispose]());

  /** The body, uncompressed. */
  async function fetched(method: string, path: string): Promise<string> {
    const response = await open(method, at.url + path);
    const chunks = (await response.toArray()) as Buffer[];
    expect(response.headers['content-encoding']).toBe('gzip');
    return gunzipSync(Buffer.concat(chunks)).toString();
  }

  it('responses arrive whole', async () => {
    expect(await fetched('POST', '/big')).toBe(JSON.stringify({ text: BIG }));
    expect((await fetched('POST', '/piped')) === BIG).toBe(true);
    expect(await fetched('GET', '/text')).toBe('plain');
    expect(await at.names()).toEqual(['a', 'a']);
  });

  it('a failed commit answers an error or, when the body has begun to leave, cuts it off', async () => {
    at.commits.refuse(new Error('no'));
    const answer = fetched('POST', '/big').then(JSON.parse, (error: Error) => error.message);
    expect(await answer).toEqual(
      place === 'before' ? { statusCode: 500, message: 'Internal server error' } : 'aborted',
    );
    expect(await at.names()).toEqual([]);
  });
});
