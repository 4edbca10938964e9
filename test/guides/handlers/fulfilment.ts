// #region docs
import { Injectable } from '@nestjs/common';
import {
  Emissions,
  IGNORED,
  OnEmission,
  type Emission,
  type HandlerContext,
} from 'nestjs-emissions';

export interface Order {
  id: string;
  total: number;
}

@Injectable()
export class Fulfilment {
  constructor(private readonly emissions: Emissions) {}

  @OnEmission('order.placed', {
    concurrency: 4,
    timeoutMs: 5_000,
    retry: { attempts: 3, backoffMs: 200 },
    interested: ({ payload }) => payload.total > 0,
  })
  async ship(order: Order, emission: Emission<Order>, { attempt, signal }: HandlerContext) {
    if (order.id === 'test') return IGNORED; // neither succeeded nor failed; nothing of it is committed
    await reserve(order, signal); // a throw is a failure: it is tried again, twice
    this.emissions.emit('order.shipped', { id: order.id, attempt, cause: emission.id });
    return order.id;
  }

  /** Hears of it after `ship` has succeeded, with the same correlation id. */
  @OnEmission('order.shipped')
  thank({ id }: { id: string }) {
    this.emissions.emit('customer.thanked', { id });
  }

  /** Runs inside the commit of the request, which fails with what it throws. */
  @OnEmission('order.placed', { critical: true })
  check(order: Order) {
    if (order.total < 0) throw new Error('Nothing is for less than nothing');
  }
}

async function reserve(_order: Order, signal: AbortSignal) {
  signal.throwIfAborted();
}
// #endregion
