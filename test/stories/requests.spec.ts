import { Agent } from 'node:http';
import { expect, describe, it } from '@jest/globals';
import { Body, ConflictException, Controller, Get, Injectable, Param, Post } from '@nestjs/common';
import { Buffered, Emissions, OnEmission, type Emission } from 'nestjs-emissions';
import { ask } from '../support/http.js';
import { site, SITES } from '../support/site.js';

interface Step {
  order: number;
  step: number;
}

@Injectable()
class Billing {
  constructor(private readonly emissions: Emissions) {}

  /** Joins the request's buffer, or disappears. */
  @Buffered()
  async bill(order: number): Promise<void> {
    this.emissions.emit('order.step', { order, step: 2 } satisfies Step);
    await nextTurn();
    if (order % 4 === 0) throw new Error('not billed');
  }
}

/** Reacts to what has really happened. */
@Injectable()
class Shipping {
  readonly shipped: number[] = [];
  constructor(private readonly emissions: Emissions) {}

  @OnEmission('order.placed')
  async ship({ order }: { order: number }) {
    await nextTurn();
    this.shipped.push(order);
    this.emissions.emit('order.shipped', { order });
  }
}

@Controller('orders')
class Orders {
  constructor(
    private readonly emissions: Emissions,
    private readonly billing: Billing,
  ) {}

  @Post()
  async place(@Body() { order }: { order: number }) {
    this.emissions.emit('order.step', { order, step: 1 } satisfies Step);
    await nextTurn();
    await this.billing.bill(order).catch(() => {});
    await Promise.all([nextTurn(), nextTurn()]);
    this.emissions.emit('order.placed', { order });
    if (order % 2 === 1) throw new ConflictException();
    return { order };
  }

  @Get(':order')
  read(@Param('order') order: string) {
    return { taken: this.emissions.emit('order.read', { order }) !== undefined };
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

const REQUESTS = 1_000;

describe.each(SITES)('1,000 requests at once, on %s with the %s', (server, integration) => {
  it('deliver what the successful half emitted, each in one piece, and nothing else', async () => {
    const providers = [Billing, Shipping];
    await using at = await site(server, integration, { controllers: [Orders], providers });
    const agent = new Agent({ keepAlive: true, maxSockets: 100 });
    const answers = await Promise.all(
      Array.from({ length: REQUESTS }, async (_, order) => {
        if (order % 10 === 0) await ask('GET', `${at.url}/orders/${order}`, { agent });
        const { status, text } = await ask('POST', `${at.url}/orders`, { agent, body: { order } });
        return { order, status, text };
      }),
    );
    agent.destroy();

    for (const { order, status, text } of answers) {
      expect([status, JSON.parse(text)]).toEqual(
        order % 2 === 0 ? [201, { order }] : [409, { statusCode: 409, message: 'Conflict' }],
      );
    }
    const delivered = (await at.delivered()) as readonly Emission<Step>[];
    const commits = delivered.filter(({ depth }) => depth === 0);
    const units = Map.groupBy(commits, ({ correlationId }) => correlationId);
    expect(units.size).toBe(REQUESTS / 2);
    let position = 0;
    for (const unit of units.values()) {
      const { order } = unit[0]!.payload;
      const steps = order % 4 === 0 ? [1, undefined] : [1, 2, undefined];
      expect(unit.map(({ payload }) => payload)).toEqual(
        steps.map((step) => (step === undefined ? { order } : { order, step })),
      );
      // One request's emissions stand together.
      expect(commits.slice(position, position + unit.length)).toEqual(unit);
      position += unit.length;
    }
    const even = Array.from({ length: REQUESTS / 2 }, (_, n) => n * 2);
    const shipped = delivered.filter(({ name }) => name === 'order.shipped');
    expect(shipped.map(({ payload }) => payload.order).toSorted((a, b) => a - b)).toEqual(even);
    expect(shipped.every(({ correlationId }) => units.has(correlationId))).toBe(true);
    expect(delivered.some(({ name }) => name === 'order.read')).toBe(false);
    expect(at.live).toBe(0);
  }, 30_000);
});
