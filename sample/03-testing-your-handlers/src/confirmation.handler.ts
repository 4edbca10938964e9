import { Injectable } from '@nestjs/common';
import { Emissions, OnEmission } from 'nestjs-emissions';
import { Mailer } from './mailer.js';
import type { Order } from './order.emissions.js';

const MINUTE = 60_000;

/** Writes to the customer; when the mail server is down, again after a minute, and after two more. */
@Injectable()
export class ConfirmationHandler {
  constructor(
    private readonly emissions: Emissions,
    private readonly mailer: Mailer,
  ) {}

  @OnEmission('order.placed', {
    retry: { attempts: 3, backoffMs: MINUTE, maxBackoffMs: 10 * MINUTE, jitter: 0 },
  })
  async confirm({ id, email }: Order): Promise<void> {
    await this.mailer.send(email, `Thank you for order ${id}`);
    this.emissions.emit('confirmation.sent', { orderId: id, to: email });
  }
}
