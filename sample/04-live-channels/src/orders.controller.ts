import { Body, Controller, Post, Req, Sse, UseGuards, UseInterceptors } from '@nestjs/common';
import { Emissions, EmissionsInterceptor } from 'nestjs-emissions';
import { EmissionsStream } from 'nestjs-emissions/gateway';
import { TokenGuard, type TokenRequest } from './token.guard.js';

/** What has been ordered. */
export interface Order {
  readonly id: string;
  readonly quantity: number;
}

@Controller()
@UseGuards(TokenGuard)
export class OrdersController {
  constructor(
    private readonly emissions: Emissions,
    private readonly stream: EmissionsStream,
  ) {}

  @Post('orders')
  @UseInterceptors(EmissionsInterceptor)
  place(@Req() { claims }: TokenRequest, @Body() { id, quantity }: Order): Order {
    const order = { id: String(id), quantity: Number(quantity) };
    this.emissions.emit('order.created', order, { org: claims.org });
    return order;
  }

  /** The same channels as for sockets, decided by the same `authorize`. */
  @Sse('live')
  live(@Req() request: TokenRequest) {
    const { sub, org } = request.claims;
    return this.stream.of(request, {
      identity: { tenant: org, subject: sub },
      channels: ['topic/orders'],
    });
  }
}
