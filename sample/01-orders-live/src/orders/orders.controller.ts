import {
  Body,
  Controller,
  Get,
  InternalServerErrorException,
  Param,
  Patch,
  Post,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { EmissionsInterceptor } from 'nestjs-emissions';
import { CurrentTenant } from '../tenants/current-tenant.decorator.js';
import type { Tenant } from '../tenants/tenant.js';
import { TenantGuard } from '../tenants/tenant.guard.js';
import type { Order } from './order.js';
import { OrdersService } from './orders.service.js';
import { PlaceOrderDto } from './place-order.dto.js';

/** Knows nothing of buffers: the interceptor delivers what a request emitted when it succeeds, and drops it when it fails. */
@Controller('orders')
@UseGuards(TenantGuard)
@UseInterceptors(EmissionsInterceptor)
export class OrdersController {
  constructor(private readonly orders: OrdersService) {}

  @Get()
  all(@CurrentTenant() tenant: Tenant): Order[] {
    return this.orders.all(tenant);
  }

  @Post()
  place(@CurrentTenant() tenant: Tenant, @Body() wish: PlaceOrderDto): Order {
    return this.orders.place(tenant, wish);
  }

  /** Breaks after it has emitted: neither a handler nor the audit nor a browser hears of the order. */
  @Post('broken')
  broken(@CurrentTenant() tenant: Tenant, @Body() wish: PlaceOrderDto): never {
    const { id } = this.orders.announce(tenant, wish);
    throw new InternalServerErrorException(`The till jammed after order ${id} was announced.`);
  }

  @Patch(':id/ship')
  ship(@CurrentTenant() tenant: Tenant, @Param('id') id: string): Order {
    return this.orders.ship(tenant, id);
  }
}
