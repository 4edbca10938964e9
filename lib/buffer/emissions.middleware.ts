import type { IncomingMessage, ServerResponse } from 'node:http';
import { Injectable, type NestMiddleware } from '@nestjs/common';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { BufferContext } from './buffer.context.js';
import { HttpOutcome } from './http-outcome.js';
import { RequestOptions } from './request.options.js';

/**
 * Does for whole applications what the interceptor does for routes, from before the guards on and at a fraction of the
 * cost (Nest calls an interceptor through several promises and observables):
 *
 * ```ts
 * configure(consumer: MiddlewareConsumer) { consumer.apply(EmissionsMiddleware).forRoutes('{*path}'); }
 * ```
 *
 * It ends the unit when the response is about to be sent, or, for a streamed one, about to end. A commit that fails answers
 * 5xx (or the error's own status) without going through the exception filters. `@Buffered` and `@Unbuffered` work on
 * routes as with the interceptor.
 */
@Injectable()
export class EmissionsMiddleware implements NestMiddleware<IncomingMessage, ServerResponse> {
  constructor(
    private readonly buffers: BufferContext,
    private readonly options: RequestOptions,
  ) {}

  use(request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void): void {
    if (this.buffers.isActive) return next();
    const { unit } = new HttpOutcome(
      this.buffers,
      this.options.http,
      request,
      () => {
        const context = new ExecutionContextHost([request, response, next]);
        context.setType('http');
        return this.options.context?.(context);
      },
      { buffered: undefined },
    ).watch(response);
    this.buffers.enter(unit, next);
  }
}
