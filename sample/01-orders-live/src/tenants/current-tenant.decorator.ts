import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Tenant } from './tenant.js';
import type { TenantRequest } from './tenant.guard.js';

/** The tenant that {@link TenantGuard} found. */
export const CurrentTenant = createParamDecorator(
  (_: unknown, context: ExecutionContext): Tenant =>
    context.switchToHttp().getRequest<TenantRequest>().tenant,
);
