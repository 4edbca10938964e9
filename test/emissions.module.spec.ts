import { describe, expect, it } from '@jest/globals';
import { Body, Controller, Injectable, Post, UseInterceptors } from '@nestjs/common';
import {
  Emissions,
  EmissionsInterceptor,
  EmissionsModule,
  OnEmission,
  type Emission,
} from 'nestjs-emissions';
import { RecordingAdapter } from './support/adapters.js';
import { SERVERS, serve } from './support/app.js';

@Injectable()
class Stock {
  readonly seen: string[] = [];
  constructor(private readonly emissions: Emissions) {}

  @OnEmission('order.*')
  reserve(_payload: unknown, emission: Emission): void {
    this.seen.push(emission.name);
    this.emissions.emit('stock.reserved', { order: emission.id });
  }
}

@Controller('orders')
@UseInterceptors(EmissionsInterceptor)
class Orders {
  constructor(private readonly emissions: Emissions) {}

  @Post()
  place(@Body() body: { fail: boolean }) {
    for (const item of [1, 2, 3]) this.emissions.emit('order.created', { item }, { orgId: 'a' });
    if (body.fail) throw new Error('declined');
    return { placed: 3 };
  }
}

describe.each(SERVERS)('an application on %s', (server) => {
  it('delivers what a successful request emitted, in order, and nothing of a failed one', async () => {
    await using running = await serve(
      {
        imports: [
          EmissionsModule.forRoot({ adapters: [RecordingAdapter], tenancy: { key: 'orgId' } }),
        ],
        controllers: [Orders],
        providers: [Stock],
      },
      server,
    );
    expect((await running.request('POST', '/orders', { fail: false })).status).toBe(201);
    expect((await running.request('POST', '/orders', { fail: true })).status).toBe(500);
    await running.emissions.settled();
    const { emissions } = running.app.get(RecordingAdapter);
    expect(emissions.slice(0, 3).map(({ payload }) => payload)).toEqual([
      { item: 1 },
      { item: 2 },
      { item: 3 },
    ]);
    expect(emissions.slice(3).map(({ name, depth, tenant }) => [name, depth, tenant])).toEqual(
      [1, 2, 3].map(() => ['stock.reserved', 1, 'a']),
    );
    expect(running.app.get(Stock).seen).toHaveLength(3);
  });
});
