import type { ServerResponse } from 'node:http';
import {
  Injectable,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { tap, type Observable } from 'rxjs';
import { BufferContext } from './buffer.context.js';
import { routeBufferingOf } from './buffered.decorator.js';
import { throwAt } from './commit-failure.js';
import { graphqlCallOf, GraphqlOperations } from './graphql-operation.js';
import { HttpOutcome } from './http-outcome.js';
import { RequestOptions } from './request.options.js';
import type { UnitContext } from './unit-of-work.js';
import { endingWith, within } from './within.js';

/**
 * Gives every request, message and GraphQL mutation a buffer, commits it when it succeeds and terminates it when it fails.
 *
 * - HTTP: methods of `http.skipMethods` get none. The status that is sent decides (`http.shouldCommit`), wherever the
 *   response comes from, unless the handler fails after that; it waits for the commit. A commit that fails is answered by
 *   the exception filters of the route, as if the handler had thrown its error.
 * - RPC and WebSocket messages: one buffer each, committed when the handler completes.
 * - GraphQL: one buffer per operation, mutations only; committed with the response, unless that has errors.
 *
 * Use it with `@UseInterceptors(EmissionsInterceptor)` or, for all, with the option `interceptor: 'global'`. Where a buffer
 * is active already, it does nothing.
 */
@Injectable()
export class EmissionsInterceptor implements NestInterceptor {
  constructor(
    private readonly buffers: BufferContext,
    private readonly options: RequestOptions,
    private readonly operations: GraphqlOperations,
    private readonly moduleRef: ModuleRef,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const type = context.getType<string>();
    if (type === 'graphql') return this.#graphql(context, next);
    if (type === 'http') return this.#http(context, next);
    return this.buffers.isActive ? next.handle() : this.#message(context, next);
  }

  #http(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const sent = context.getArgByIndex<ServerResponse & { raw?: ServerResponse }>(1);
    const response = sent.raw ?? sent;
    const known = HttpOutcome.of(this.buffers, response);
    // The middleware, or another of these further outside, has begun it.
    const isBegun = known !== undefined && known === this.buffers.current()?.http;
    if (!isBegun && this.buffers.isActive) return next.handle();
    const outcome = known ?? this.#outcome(context, response);
    // Once the head has left, Nest's filters cannot say any more that it has failed.
    const failed = (): void => {
      if (response.headersSent) outcome.abandoned();
    };
    return isBegun
      ? next.handle().pipe(tap({ error: failed }))
      : within(this.buffers, next, () => outcome.attempt(), failed);
  }

  #outcome(context: ExecutionContext, response: ServerResponse): HttpOutcome {
    const { http } = this.options;
    const { method } = context.getArgByIndex<{ method: string }>(0);
    const route = routeBufferingOf(context.getHandler());
    return new HttpOutcome(this.buffers, response, {
      buffered: route.buffered ?? !http.skipMethods.includes(method),
      shouldCommit: route.shouldCommit ?? http.shouldCommit,
      stamp: this.#stamp(context),
      failed: (error) => throwAt(context, this.moduleRef, error),
    }).mark();
  }

  #message(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const buffered = routeBufferingOf(context.getHandler()).buffered ?? true;
    const stamp = this.#stamp(context);
    return endingWith(this.buffers, next, () => this.buffers.begin({ buffered, stamp }));
  }

  #graphql(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    // Not a request's buffer, which knows nothing of operations: one that somebody has begun around it all.
    if (this.buffers.isActive && this.buffers.current()?.http === undefined) return next.handle();
    const call = graphqlCallOf(context);
    if (call.operation !== 'mutation') {
      const unit = this.buffers.begin({ buffered: false, stamp: this.#stamp(context) });
      return within(this.buffers, next, () => unit);
    }
    if (call.context === undefined || call.response === undefined) {
      return this.#message(context, next);
    }
    const operation = this.operations.of(call.context, call.response, {
      buffers: this.buffers,
      shouldCommit: this.options.http.shouldCommit,
      stamp: this.#stamp(context),
      asked: call.asked,
    });
    return operation.run(this.buffers, next);
  }

  #stamp(context: ExecutionContext): (() => UnitContext | undefined) | undefined {
    const stamp = this.options.context;
    return stamp && (() => stamp(context));
  }
}
