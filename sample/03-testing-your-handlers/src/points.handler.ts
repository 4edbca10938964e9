import { Injectable } from '@nestjs/common';
import { Emissions, IGNORED, OnEmission } from 'nestjs-emissions';
import type { Order } from './order.emissions.js';

/** One point for every ten euros, from fifty on; none for the shop's own people. */
@Injectable()
export class PointsHandler {
  constructor(private readonly emissions: Emissions) {}

  @OnEmission('order.placed', { interested: ({ payload }) => payload.total >= 50 })
  credit({ id, email, total }: Order): number | typeof IGNORED {
    if (email.endsWith('@shop.example')) return IGNORED;
    const points = Math.floor(total / 10);
    this.emissions.emit('points.earned', { orderId: id, points });
    return points;
  }
}
