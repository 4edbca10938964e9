import { Injectable } from '@nestjs/common';
import { Emissions, OnEmission, type HandlerContext, type PayloadOf } from 'nestjs-emissions';
import { Pace } from './pace.js';

/** Writes the invoice of what has left the house. */
@Injectable()
export class InvoiceHandler {
  constructor(
    private readonly emissions: Emissions,
    private readonly pace: Pace,
  ) {}

  @OnEmission('order.shipped')
  async issue(
    { orderId, total }: PayloadOf<'order.shipped'>,
    _: unknown,
    { signal }: HandlerContext,
  ): Promise<void> {
    await this.pace.wait(signal);
    this.emissions.emit('invoice.issued', { orderId, number: `INV-${orderId}`, total });
  }
}
