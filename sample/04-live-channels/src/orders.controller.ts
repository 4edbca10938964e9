import {
  BadRequestException,
  Body,
  Controller,
  Post,
  Req,
  Sse,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
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
  place(@Req() { claims }: TokenRequest, @Body() body: unknown): Order {
    const order = checkOrder(body);
    this.emissions.emit('order.created', order, { org: claims.org });
    return order;
  }

  /** The same channels as for sockets, decided by the same `authorize`. */
  @Sse('live')
  live(@Req() request: TokenRequest) {
    const { sub, org, expiresAt } = request.claims;
    return this.stream.of(request, {
      identity: { tenant: org, subject: sub, expiresAt },
      channels: ['topic/orders'],
    });
  }
}

/** The id becomes the name of a channel, `entity/order/<id>`. */
function checkOrder(body: unknown): Order {
  const { id, quantity } = (body ?? {}) as Partial<Order>;
  if (
    typeof id === 'string' &&
    /^[\w-]{1,64}$/.test(id) &&
    Number.isInteger(quantity) &&
    quantity! > 0
  )
    return { id, quantity: quantity! };
  throw new BadRequestException("Send an order such as { id: '1', quantity: 2 }.");
}
