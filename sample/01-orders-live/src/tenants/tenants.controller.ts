import { Controller, Get, UseGuards } from '@nestjs/common';
import { CurrentTenant } from './current-tenant.decorator.js';
import type { Tenant } from './tenant.js';
import { TenantGuard } from './tenant.guard.js';

@Controller('tenant')
@UseGuards(TenantGuard)
export class TenantsController {
  /** Who the token stands for, and what that shop sells. */
  @Get()
  current(@CurrentTenant() tenant: Tenant): Tenant {
    return tenant;
  }
}
