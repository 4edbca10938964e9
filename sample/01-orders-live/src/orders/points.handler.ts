import { Injectable } from '@nestjs/common';
import { Emissions, OnEmission, type Emission, type PayloadOf } from 'nestjs-emissions';

type Confirmed = PayloadOf<'order.confirmed'>;

const MINIMUM_TOTAL = 50;

/** Thanks customers for orders of some size. */
@Injectable()
export class PointsHandler {
  constructor(private readonly emissions: Emissions) {}

  /** Smaller orders never reach its queue. */
  @OnEmission('order.confirmed', {
    interested: ({ payload }: Emission<Confirmed>) => payload.total >= MINIMUM_TOTAL,
  })
  credit({ orderId, customer, total }: Confirmed): void {
    const points = Math.floor(total / 10);
    this.emissions.emit('points.earned', { orderId, customer, points });
  }
}
