// #region docs
import {
  Controller,
  Injectable,
  Module,
  Post,
  UnauthorizedException,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { Emissions, EmissionsModule, OnEmission, type Emission } from 'nestjs-emissions';

interface TenantRequest {
  headers: Record<string, string | undefined>;
  tenant?: string | undefined;
}

@Injectable()
export class TenantGuard implements CanActivate {
  canActivate(context: ExecutionContext) {
    const request = context.switchToHttp().getRequest<TenantRequest>();
    request.tenant = request.headers['x-tenant']; // yours comes from a token
    if (request.tenant === undefined) throw new UnauthorizedException();
    return true;
  }
}

@Controller('tickets')
export class TicketsController {
  constructor(private readonly emissions: Emissions) {}

  @Post()
  open() {
    this.emissions.emit('ticket.opened', { title: 'It does not work' }); // says nothing of tenants
  }
}

@Injectable()
export class Desk {
  constructor(private readonly emissions: Emissions) {}

  @OnEmission('ticket.opened')
  assign() {
    this.emissions.emit('ticket.assigned', { to: 'Ada' }); // of the tenant of what it is called for
  }

  @OnEmission('ticket.assigned')
  report(_payload: unknown, { tenant }: Emission) {
    // What crosses over says so.
    this.emissions.emit('ticket.counted', { of: tenant }, {}, { tenant: 'us', crossTenant: true });
  }
}

@Module({
  imports: [
    EmissionsModule.forRoot({
      interceptor: 'global',
      // Called once a request, with its first emission: guards have run by then.
      context: (context) => {
        const { tenant } = context.switchToHttp().getRequest<TenantRequest>();
        return tenant === undefined ? undefined : { tenant };
      },
    }),
  ],
  controllers: [TicketsController],
  providers: [Desk, { provide: APP_GUARD, useClass: TenantGuard }],
})
export class AppModule {}
// #endregion
