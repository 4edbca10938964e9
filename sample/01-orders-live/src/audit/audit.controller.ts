import { Controller, Get, UseGuards } from '@nestjs/common';
import { CurrentTenant } from '../tenants/current-tenant.decorator.js';
import type { Tenant } from '../tenants/tenant.js';
import { TenantGuard } from '../tenants/tenant.guard.js';
import { AuditAdapter, type AuditEntry } from './audit.adapter.js';

@Controller('audit')
@UseGuards(TenantGuard)
export class AuditController {
  constructor(private readonly audit: AuditAdapter) {}

  /** What the tenant's audit holds. */
  @Get()
  entries(@CurrentTenant() tenant: Tenant): readonly AuditEntry[] {
    return this.audit.of(tenant.id);
  }
}
