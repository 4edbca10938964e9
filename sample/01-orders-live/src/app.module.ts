import { Module, ValidationPipe, type ExecutionContext } from '@nestjs/common';
import { APP_PIPE } from '@nestjs/core';
import { EmissionsModule } from 'nestjs-emissions';
import { EmissionsGatewayModule } from 'nestjs-emissions/gateway';
import { AuditAdapter } from './audit/audit.adapter.js';
import { AuditController } from './audit/audit.controller.js';
import { DescribeController } from './describe.controller.js';
import { topics } from './orders/order.emissions.js';
import { OrdersModule } from './orders/orders.module.js';
import { tenantOf } from './tenants/tenant.js';
import type { TenantRequest } from './tenants/tenant.guard.js';
import { TenantsController } from './tenants/tenants.controller.js';

@Module({
  imports: [
    EmissionsModule.forRoot({
      adapters: [AuditAdapter],
      topics,
      tenancy: { key: 'tenant' },
      // Everything a request emits belongs to the tenant its guard found; so does all that follows from it.
      context: (context: ExecutionContext) => ({
        metadata: { tenant: context.switchToHttp().getRequest<TenantRequest>().tenant.id },
      }),
    }),
    EmissionsGatewayModule.forRoot({
      authenticate: ({ handshake }) => {
        const tenant = tenantOf(handshake.auth['token']);
        if (tenant === undefined) throw new Error('nobody has this token.');
        return { tenant: tenant.id };
      },
    }),
    OrdersModule,
  ],
  controllers: [AuditController, DescribeController, TenantsController],
  providers: [
    {
      provide: APP_PIPE,
      useFactory: () => new ValidationPipe({ whitelist: true, forbidNonWhitelisted: true }),
    },
  ],
})
export class AppModule {}
