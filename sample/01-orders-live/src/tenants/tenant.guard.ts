import {
  Injectable,
  UnauthorizedException,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import { tenantOf, type Tenant } from './tenant.js';

/** A request that the guard has let in. */
export interface TenantRequest {
  readonly headers: { readonly authorization?: string };
  tenant: Tenant;
}

/** Works out whose request it is from `Authorization: Bearer <token>`, and refuses it with 401 when it is nobody's. */
@Injectable()
export class TenantGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<TenantRequest>();
    const [scheme, token] = request.headers.authorization?.split(' ') ?? [];
    const tenant = scheme?.toLowerCase() === 'bearer' ? tenantOf(token) : undefined;
    if (tenant === undefined) {
      throw new UnauthorizedException(
        'Say whose request it is: Authorization: Bearer demo-harbour (or demo-pine).',
      );
    }
    request.tenant = tenant;
    return true;
  }
}
