import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  Body,
  ConflictException,
  Controller,
  Injectable,
  Post,
  UseInterceptors,
} from '@nestjs/common';
import { Emissions, EmissionsInterceptor, EmissionsModule, OnEmission } from 'nestjs-emissions';
import { HeldAdapter, RecordingAdapter } from '../support/adapters.js';
import { SERVERS, serve, type RunningApp } from '../support/app.js';
import { until } from '../support/until.js';

interface Order {
  item: string;
  count: number;
}

@Controller()
@UseInterceptors(EmissionsInterceptor)
class Shop {
  constructor(private readonly emissions: Emissions) {}

  @Post('orders')
  order(@Body() order: Order): { ordered: number } {
    this.emissions.emit('order.created', order);
    this.emissions.emit('mail.wanted', order);
    return { ordered: order.count };
  }

  @Post('floods')
  flood(@Body() { count }: { count: number }): void {
    for (let i = 0; i < count; i++) this.emissions.emit('flooded');
  }
}

/** Has three of everything, and takes them inside the commit. */
@Injectable()
class Stock {
  readonly left = new Map<string, number>();
  constructor(private readonly emissions: Emissions) {}

  @OnEmission('order.created', { critical: true })
  async reserve({ item, count }: Order): Promise<void> {
    await Promise.resolve();
    const left = (this.left.get(item) ?? 3) - count;
    if (count > 99) throw new Error('nobody needs that many');
    if (left < 0) throw new ConflictException(`only ${left + count} of ${item} left`);
    this.left.set(item, left);
    this.emissions.emit('stock.reserved', { item, left });
  }
}

describe.each(SERVERS)('A shop whose stock is checked inside the commit (%s)', (server) => {
  let running: RunningApp;
  const audit = new RecordingAdapter();
  const flooded = Object.assign(new HeldAdapter(), {
    interested: ({ name }: { name: string }) => name === 'flooded',
  });
  beforeAll(async () => {
    audit.batches.length = 0;
    running = await serve(
      {
        imports: [
          EmissionsModule.forRoot({
            adapters: [
              { name: 'audit', useValue: audit },
              { name: 'flooded', useValue: flooded, consumer: { capacity: 2, overflow: 'reject' } },
            ],
          }),
        ],
        controllers: [Shop],
        providers: [Stock],
      },
      server,
    );
  });
  afterAll(() => running.close());

  /** Answers with status and body, and what was delivered because of it. */
  const post = async (path: string, body: unknown) => {
    audit.batches.length = 0;
    const response = await running.request('POST', path, body);
    const text = await response.text();
    await until(() => running.emissions.describe().adapters[0]!.pending === 0);
    return { status: response.status, text, delivered: audit.names };
  };

  it('answers with its result when the stock suffices, and everything leaves in one commit', async () => {
    expect(await post('/orders', { item: 'apple', count: 2 })).toEqual({
      status: 201,
      text: '{"ordered":2}',
      delivered: ['order.created', 'mail.wanted', 'stock.reserved'],
    });
  });

  it("answers with the handler's own HTTP error when it does not, and nothing leaves", async () => {
    const { status, text, delivered } = await post('/orders', { item: 'apple', count: 2 });

    expect([status, delivered]).toEqual([409, []]);
    expect(JSON.parse(text)).toMatchObject({ message: 'only 1 of apple left' });
  });

  it('answers 500 for any other error, and does not show it', async () => {
    const { status, text, delivered } = await post('/orders', { item: 'pear', count: 100 });

    expect([status, delivered]).toEqual([500, []]);
    expect(text).not.toContain('nobody needs that many');
  });

  it('answers 503 when a queue has no room, and nothing leaves', async () => {
    expect(await post('/floods', { count: 2 })).toMatchObject({ status: 201 });
    const { status, text, delivered } = await post('/floods', { count: 1 });
    await until(() => flooded.running === 1);
    flooded.release();

    expect([status, delivered]).toEqual([503, []]);
    expect(JSON.parse(text)).toMatchObject({ statusCode: 503 });
  });
});
