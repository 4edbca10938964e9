import { Controller, Post, UseInterceptors } from '@nestjs/common';
import { Emissions, EmissionsInterceptor } from 'nestjs-emissions';

/** Emits, and answers when the test lets it: `POST /orders`. */
@Controller()
export class HeldOrders {
  readonly #answering = Promise.withResolvers<void>();
  /** Whether a request has come, and waits. */
  arrived = false;

  constructor(private readonly emissions: Emissions) {}

  @Post('orders')
  @UseInterceptors(EmissionsInterceptor)
  async place(): Promise<string> {
    this.emissions.emit('order.created');
    this.arrived = true;
    await this.#answering.promise;
    return 'placed';
  }

  answer(): void {
    this.#answering.resolve();
  }
}
