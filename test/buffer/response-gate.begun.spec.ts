import { describe, expect, it } from '@jest/globals';
import { Controller, Get, Injectable, Res, UseInterceptors } from '@nestjs/common';
import type { ServerResponse } from 'node:http';
import { Emissions, EmissionsInterceptor, EmissionsModule, OnEmission } from 'nestjs-emissions';
import { RecordingAdapter } from '../support/adapters.js';
import { serve } from '../support/app.js';

@Injectable()
class Check {
  @OnEmission('checked', { critical: true })
  refuse(): never {
    throw new Error('refused');
  }
}

@Controller()
@UseInterceptors(EmissionsInterceptor)
class Streams {
  constructor(private readonly emissions: Emissions) {}

  @Get('begun')
  begun(@Res() response: ServerResponse) {
    response.setHeader('content-type', 'text/plain');
    response.write('a');
    this.emissions.start();
    this.emissions.emit('checked', {});
    response.end();
  }
}

describe('a buffer that is started when the response has begun', () => {
  it('cuts the connection when its commit fails, and delivers nothing', async () => {
    await using app = await serve({
      imports: [EmissionsModule.forRoot({ adapters: [RecordingAdapter] })],
      controllers: [Streams],
      providers: [Check],
    });
    const body = app.request('GET', '/begun').then((response) => response.text());
    await expect(body).rejects.toThrow(/fetch failed|terminated/);
    expect(app.app.get(RecordingAdapter).emissions).toEqual([]);
  });
});
