import {
  Injectable,
  UnauthorizedException,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import type { IncomingMessage } from 'node:http';
import { readToken, type Claims } from './tokens.js';

/** A request with what its token says. */
export interface TokenRequest extends IncomingMessage {
  claims: Claims;
}

/** Takes the token from the header, or from `?token=`: an `EventSource` can send no headers. */
@Injectable()
export class TokenGuard implements CanActivate {
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<TokenRequest>();
    const header = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
    const query = new URL(request.url ?? '/', 'http://localhost').searchParams.get('token');
    try {
      request.claims = await readToken(header ?? query ?? '');
      return true;
    } catch (error) {
      throw new UnauthorizedException('The token is none of ours.', { cause: error });
    }
  }
}
